//! The fast path between network namespaces: phones, the host, and a PBX on the other side.

mod carrying;
mod lasting;
mod net;
mod stream;
mod switching;
