//! One end of an RTP stream (RFC 3550): sends its party's tone every 20 ms while it is told to, and
//! listens: is what arrives one unbroken stream, and which tone is in it?

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Chance, Moment};
use bytes::Bytes;
use rtp_flow::{Codec, Srtp, SrtpReceiver, SrtpSender, Tone, samples_of};

use crate::tone;

/// How long a frame is.
pub(crate) const FRAME_TIME: Duration = Duration::from_millis(20);
/// Samples in a frame.
const FRAME: u32 = 160;
/// The payload type of keys, as all parties describe it.
const KEYS: u8 = 101;
/// A key has so many packets, the last three of them saying that it is over …
const KEY_FRAMES: u8 = 7;
/// … and is followed by a pause of so many frames.
const KEY_PAUSE: u8 = 4;
/// How much is remembered of what was heard.
const MEMORY: Duration = Duration::from_millis(400);

/// What an ear makes of what it heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// No packet came.
    Nothing,
    /// Packets came, and nothing is in them.
    Silence,
    /// The world's music.
    Music,
    /// The tone of a party.
    Tone(u32),
    /// Something else, or a mixture.
    Noise,
}

/// The listening half: one stream, and whether it is unbroken.
#[derive(Debug, Clone, Default)]
pub struct Listener {
    last: Option<(u32, u16, u32, Moment)>,
    frames: VecDeque<(Moment, Vec<i16>)>,
    /// Packets heard.
    pub packets: u64,
    /// What broke the stream: a change of SSRC, a gap or repetition in the sequence, a timestamp that
    /// did not advance. A stream that keeps RFC 3550 §5.1 leaves none.
    pub breaks: Vec<String>,
    /// The longest time without a packet since the first.
    pub longest_gap: Duration,
    /// Packets with the marker bit.
    pub marks: u64,
    /// The sender has lost its memory: another source is no break.
    is_cut: bool,
    /// Keys heard as telephone-events (RFC 4733), by their signs.
    pub keys: String,
}

/// Keys as a phone presses them: the packets of a key of which the place (from 0) is named here get
/// lost.
#[derive(Debug, Clone, Default)]
struct Pressing {
    events: VecDeque<u8>,
    lost: Vec<u8>,
    /// How many frames the key under way has had, and since which timestamp it is pressed.
    frames: u8,
    since: u32,
}

/// The signs of events, by their numbers (RFC 4733 §3.2).
const SIGNS: &str = "0123456789*#ABCD!";

impl Listener {
    /// What comes next may be from another source.
    pub(crate) fn expects_a_new_source(&mut self) {
        self.is_cut = true;
    }

    fn hear(&mut self, now: Moment, packet: &[u8]) {
        if packet.len() < 12 || packet[0] >> 6 != 2 {
            self.breaks.push(format!("{now} not RTP: {} bytes", packet.len()));
            return;
        }
        let (payload_type, marker) = (packet[1] & 0x7f, packet[1] & 0x80 != 0);
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let stamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        if let Some((old_ssrc, old_seq, old_stamp, then)) = self.last {
            if ssrc != old_ssrc && std::mem::take(&mut self.is_cut) {
                // What was heard of the old one is no part of what is heard now.
                self.frames.clear();
            } else if ssrc != old_ssrc {
                self.breaks.push(format!("{now} SSRC {old_ssrc:08x} became {ssrc:08x}"));
            } else if seq != old_seq.wrapping_add(1) {
                self.breaks.push(format!("{now} sequence {old_seq} was followed by {seq}"));
            } else if (stamp.wrapping_sub(old_stamp) as i32) < i32::from(payload_type != KEYS) {
                self.breaks.push(format!("{now} timestamp {old_stamp} was followed by {stamp}"));
            }
            self.longest_gap = self.longest_gap.max(now.since(then));
        }
        let is_new = self.last.is_none_or(|(_, _, old_stamp, _)| stamp != old_stamp);
        self.last = Some((ssrc, seq, stamp, now));
        if payload_type == KEYS && is_new {
            let sign = packet.get(12).and_then(|event| SIGNS.chars().nth(usize::from(*event)));
            self.keys.push(sign.unwrap_or('?'));
        }
        self.packets += 1;
        self.marks += u64::from(marker);
        let samples = match law(payload_type) {
            Some(codec) => samples_of(codec, &packet[12..]),
            None => Vec::new(),
        };
        self.frames.push_back((now, samples));
        while self.frames.front().is_some_and(|(at, _)| now.since(*at) > MEMORY) {
            self.frames.pop_front();
        }
    }

    /// What was heard in the last `window` before `now`; `known` are the tones of the parties.
    pub fn sound(&self, now: Moment, window: Duration, known: &[u32]) -> Sound {
        let recent: Vec<&Vec<i16>> = self
            .frames
            .iter()
            .filter(|(at, _)| now.since(*at) <= window)
            .map(|(_, samples)| samples)
            .collect();
        if recent.is_empty() {
            return Sound::Nothing;
        }
        let samples: Vec<i16> = recent.into_iter().flatten().copied().collect();
        let known: Vec<u32> = known.iter().copied().chain([tone::MUSIC]).collect();
        match tone::dominant(&samples, &known) {
            Ok(None) => Sound::Silence,
            Ok(Some(tone::MUSIC)) => Sound::Music,
            Ok(Some(frequency)) => Sound::Tone(frequency),
            Err(()) => Sound::Noise,
        }
    }
}

/// The G.711 law of a static payload type (RFC 3551 §6).
fn law(payload_type: u8) -> Option<Codec> {
    [Codec::Pcma, Codec::Pcmu].into_iter().find(|c| c.static_payload_type() == Some(payload_type))
}

/// The SRTP of one end: what it has agreed on last, and before.
#[derive(Debug)]
struct Locked {
    keys: Srtp,
    sender: SrtpSender,
    receiver: SrtpReceiver,
    former: Option<SrtpReceiver>,
}

/// How much longer a packet may become.
const TAG_ROOM: usize = 32;

/// One end.
#[derive(Debug)]
pub struct RtpEnd {
    /// Where it sends from and receives.
    pub local: SocketAddr,
    /// Where it sends to.
    pub far: Option<SocketAddr>,
    /// The payload type that it sends; 0 or 8.
    pub payload_type: u8,
    /// The tone that it sends.
    pub frequency: u32,
    /// Whether the session's direction lets it send.
    pub may_send: bool,
    /// What it hears.
    pub ear: Listener,
    /// How many packets came that were no SRTP by its keys, or came again.
    pub undeciphered: u64,
    locked: Option<Box<Locked>>,
    tone: Tone,
    pressing: Option<Pressing>,
    speaking: bool,
    ssrc: u32,
    seq: u16,
    stamp: u32,
    sent: u64,
    next_at: Option<Moment>,
}

impl RtpEnd {
    /// An end that is not sending yet.
    pub fn new(local: SocketAddr, frequency: u32, ssrc: u32) -> RtpEnd {
        RtpEnd {
            local,
            far: None,
            payload_type: 8,
            frequency,
            may_send: false,
            ear: Listener::default(),
            undeciphered: 0,
            locked: None,
            tone: Tone::new(f64::from(frequency)),
            pressing: None,
            speaking: false,
            ssrc,
            seq: ssrc as u16,
            stamp: ssrc.rotate_left(7),
            sent: 0,
            next_at: None,
        }
    }

    /// Starts or stops the microphone.
    pub fn speak(&mut self, now: Moment, on: bool) {
        self.speaking = on;
        self.run(now, on);
    }

    fn run(&mut self, now: Moment, on: bool) {
        if on != self.next_at.is_some() {
            if on && self.sent > 0 {
                // The clock of the stream runs on while nothing is sent.
                self.stamp = self.stamp.wrapping_add(8_000);
            }
            self.next_at = on.then_some(now);
        }
    }

    /// Presses keys one after another, as telephone-events (RFC 4733). Of each one's seven packets,
    /// of which the last three say that it is over, those in `lost` do not arrive.
    pub fn press(&mut self, now: Moment, signs: &str, lost: &[u8]) {
        let events = signs.chars().filter_map(|sign| SIGNS.find(sign)).map(|at| at as u8).collect();
        self.pressing = Some(Pressing { events, lost: lost.to_vec(), ..Pressing::default() });
        self.run(now, true);
    }

    /// When the next frame is to be sent.
    pub fn next(&self) -> Option<Moment> {
        self.next_at
    }

    /// From now on it speaks and hears by these keys, or in the clear.
    pub(crate) fn lock(&mut self, keys: Option<Srtp>) {
        let Some(keys) = keys else {
            self.locked = None;
            return;
        };
        let former = match self.locked.take() {
            Some(locked) if locked.keys == keys => {
                self.locked = Some(locked);
                return;
            }
            Some(locked) if locked.keys.outbound == keys.outbound => {
                let receiver = SrtpReceiver::new(&keys.inbound);
                let former = Some(locked.receiver);
                let sender = locked.sender;
                self.locked = Some(Box::new(Locked { keys, sender, receiver, former }));
                return;
            }
            Some(locked) if locked.keys.inbound == keys.inbound => {
                let sender = SrtpSender::new(&keys.outbound, &mut self.chance());
                let Locked { receiver, former, .. } = *locked;
                self.locked = Some(Box::new(Locked { keys, sender, receiver, former }));
                return;
            }
            before => before.map(|before| before.receiver),
        };
        let sender = SrtpSender::new(&keys.outbound, &mut self.chance());
        let receiver = SrtpReceiver::new(&keys.inbound);
        self.locked = Some(Box::new(Locked { keys, sender, receiver, former }));
    }

    fn chance(&self) -> Chance {
        Chance::from_seed(u64::from(self.ssrc))
    }

    /// Whether its audio is encrypted.
    pub fn is_locked(&self) -> bool {
        self.locked.is_some()
    }

    /// Takes a packet that has arrived at `local`.
    pub fn hear(&mut self, now: Moment, packet: &[u8]) {
        let Some(locked) = &mut self.locked else { return self.ear.hear(now, packet) };
        let mut opened = packet.to_vec();
        let taken = locked.receiver.rtp(now, &mut opened).ok();
        let former = locked.former.as_mut();
        let taken = taken.or_else(|| former?.rtp(now, &mut opened).ok());
        let Some(len) = taken else {
            self.undeciphered += 1;
            return;
        };
        // Who speaks under a key that another had before is another source.
        self.ear.expects_a_new_source();
        self.ear.hear(now, &opened[..len]);
    }

    /// The frame that is due, and where it goes.
    pub fn due(&mut self, now: Moment) -> Option<(SocketAddr, Bytes)> {
        let at = self.next_at.filter(|at| *at <= now)?;
        self.next_at = Some(at + FRAME_TIME);
        self.stamp = self.stamp.wrapping_add(FRAME);
        let far = self.far.filter(|_| self.may_send)?;
        if let Some(pressing) = &mut self.pressing
            && let Some(&event) = pressing.events.front()
        {
            let frame = pressing.frames;
            pressing.frames += 1;
            if frame == 0 {
                pressing.since = self.stamp;
            }
            if frame == KEY_FRAMES + KEY_PAUSE {
                pressing.events.pop_front();
                pressing.frames = 0;
            }
            if frame < KEY_FRAMES {
                let (since, is_lost) = (pressing.since, pressing.lost.contains(&frame));
                let over = if frame >= KEY_FRAMES - 3 { 0x80 } else { 0 };
                let [high, low] = (u16::from(frame.min(KEY_FRAMES - 3) + 1) * 160).to_be_bytes();
                let packet = self.packet(KEYS, since, frame == 0, &[event, over | 10, high, low]);
                return (!is_lost).then_some((far, packet));
            }
        } else if self.pressing.take().is_some() && !self.speaking {
            self.next_at = None;
        }
        if !self.speaking {
            return None;
        }
        let codec = law(self.payload_type)?;
        let payload = self.tone.payload(codec, 20);
        let packet = self.packet(self.payload_type, self.stamp, self.sent == 0, &payload);
        Some((far, packet))
    }

    fn packet(&mut self, payload_type: u8, stamp: u32, mark: bool, payload: &[u8]) -> Bytes {
        let mut packet = Vec::with_capacity(12 + payload.len());
        packet.extend_from_slice(&[0x80, u8::from(mark) << 7 | payload_type]);
        packet.extend_from_slice(&self.seq.to_be_bytes());
        packet.extend_from_slice(&stamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(payload);
        self.seq = self.seq.wrapping_add(1);
        self.sent += 1;
        if let Some(locked) = &mut self.locked {
            let len = packet.len();
            packet.resize(len + TAG_ROOM, 0);
            let sealed = locked.sender.rtp(&mut packet, len);
            // Numbers rise by one: none is used twice.
            packet.truncate(sealed.unwrap_or_default());
        }
        Bytes::from(packet)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::Moment;

    use super::{FRAME_TIME, RtpEnd, Sound};
    use crate::tone::frequency;

    #[test]
    fn what_one_end_sends_the_other_hears_unbroken() {
        let (a, b) = ("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:4000".parse().unwrap());
        let mut speaker = RtpEnd::new(a, frequency(3), 77);
        let mut listener = RtpEnd::new(b, frequency(4), 78);
        speaker.far = Some(b);
        speaker.may_send = true;
        let mut now = Moment::ZERO;
        speaker.speak(now, true);
        for _ in 0..20 {
            let (to, packet) = speaker.due(now).unwrap();
            assert_eq!(to, b);
            listener.hear(now, &packet);
            now += FRAME_TIME;
        }
        let window = Duration::from_millis(200);
        let sound = listener.ear.sound(now, window, &[frequency(3), frequency(4)]);
        assert_eq!(sound, Sound::Tone(frequency(3)));
        assert!(listener.ear.breaks.is_empty());
        assert_eq!(listener.ear.longest_gap, FRAME_TIME);
    }
}
