//! The fast path between network namespaces: phones, the host, and a PBX on the other side.

mod carrying;
mod lasting;
mod stream;
mod switching;
