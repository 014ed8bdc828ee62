//! Home subscriber server: SIM authenticator, subscriber store and the cut.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

extern crate alloc;

pub mod auc;
