//! The program in the kernel, between network namespaces: phones, the host, and a PBX on the other side.

mod carrying;
mod ending;
mod stream;
