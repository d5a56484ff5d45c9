//! pmesh as process 1 of a container.
