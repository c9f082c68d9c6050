"""What is learnt: small trees over the features, judged on later outcomes."""

import os

# LightGBM's threads otherwise spin while they wait for each other: beside any other busy process on two cores a fit
# took 53 s instead of 15. Read once by the OpenMP library when it is loaded, so before the first import of LightGBM.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
