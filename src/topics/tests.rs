//! Tests of the live topics, in virtual time.
