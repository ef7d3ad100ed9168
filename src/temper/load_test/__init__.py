"""Load tests: MLPerf LoadGen's traffic on a runner, in the scenarios SingleStream, Offline and Server."""
