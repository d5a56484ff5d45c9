//! The program `pmesh`.
