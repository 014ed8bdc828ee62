//! The node between a fake HSS, a fake gateway and fake UEs, all built from the codecs.

mod attach;
mod authentication;
mod boot;
mod cancel;
mod detach;
mod equipment;
mod gateway;
mod hostile;
mod phone;
mod refusal;
mod subscriber_data;
mod user_plane;
mod world;
