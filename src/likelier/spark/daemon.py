"""What each of Spark's Python processes on an executor begins from: it knows all that a run may ask of it.

Spark forks such a process whenever it wants one more, and asks each for what it has not done before: loaded here once,
the libraries need not be loaded by each.
"""

from pyspark.daemon import manager

import likelier.pipeline
import likelier.spark.there  # noqa: F401 - loaded for those forked from here

if __name__ == "__main__":
    manager()
