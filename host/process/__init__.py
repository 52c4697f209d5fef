"""This process and its surroundings: signals, standard streams, threads of BLAS."""
