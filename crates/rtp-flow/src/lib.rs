//! rtp-flow
