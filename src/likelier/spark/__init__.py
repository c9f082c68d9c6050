"""Apache Spark as the engine: the questions that DuckDB answers on one machine, answered on a cluster.

engine    the session, and what a stage may ask (:mod:`.engine`, the one place that imports PySpark)
dialect   questions written for Spark, with DuckDB's meaning of each word (:mod:`.dialect`)
reach     whether Spark can start here (:mod:`.reach`)
there     what runs on the executors (:mod:`.there`)
"""
