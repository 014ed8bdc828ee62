//! The HSS as its peers see it: scripted conversations over real Diameter octets, a disk that can
//! lose its tail, gateways that answer, fail or stay silent.

mod admin;
mod authentication_information;
mod bench;
mod cut;
mod equipment;
mod fake;
mod hostile;
mod lifecycle;
mod peers;
mod provisioning;
mod restart;
mod shared;
mod shared_changes;
mod shared_orders;
mod store;
mod subscription;
mod update_location;
