//! Tests of the whole gateway.

pub(crate) mod bed;

mod addresses;
mod admin;
mod closed;
mod cut;
mod isolation;
mod model;
mod restart;
mod sessions;
mod user_plane;
