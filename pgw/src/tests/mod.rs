//! Tests of the whole gateway.

pub(crate) mod bed;

mod addresses;
mod admin;
mod attacks;
mod bearers;
mod closed;
mod cut;
mod inner;
mod isolation;
mod link;
mod model;
mod notify;
pub(crate) mod plane;
mod rates;
mod restart;
mod routes;
mod sessions;
mod user_plane;
