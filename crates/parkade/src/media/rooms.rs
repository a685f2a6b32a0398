//! Rooms for packets: memory that is taken once, of which the room that was used last is used next,
//! while it is still in the processor's cache.

use crate::media::wire::ROOM;

/// A number of rooms of [`ROOM`] bytes each.
#[derive(Debug)]
pub(super) struct Rooms {
    bytes: Box<[u8]>,
    free: Vec<u16>,
}

impl Rooms {
    /// So many rooms, all of them free.
    pub(super) fn new(count: u16) -> Rooms {
        let bytes = vec![0; usize::from(count) * ROOM].into_boxed_slice();
        Rooms { bytes, free: (0..count).rev().collect() }
    }

    /// A free room, if there is one.
    pub(super) fn take(&mut self) -> Option<u16> {
        self.free.pop()
    }

    /// Gives a room back that was taken.
    pub(super) fn give_back(&mut self, room: u16) {
        self.free.push(room);
    }

    /// What is in a room.
    pub(super) fn bytes(&mut self, room: u16) -> &mut [u8] {
        let start = usize::from(room) * ROOM;
        &mut self.bytes[start..start + ROOM]
    }
}
