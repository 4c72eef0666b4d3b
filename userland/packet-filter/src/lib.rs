//! Says which packets may pass: IPv4 (RFC 791) with UDP (RFC 768), by a list of rules.
//!
//! It looks at the first 32 bytes of a packet, which the words of one call hold. Packets come from anybody, so whatever does not look as the
//! standards say is dropped, with the reason.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use core::ops::RangeInclusive;

/// How much of a packet is looked at: the header of IPv4 without options is 20 bytes long, that of UDP 8.
pub const BYTES: usize = 32;

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Reason {
    /// It is not IPv4.
    NotIpv4 = 1,
    /// Its header has a length that no header has.
    BadHeader = 2,
    /// It has options, behind which the ports are out of sight.
    Options = 3,
    /// The sum over its header is wrong.
    BadChecksum = 4,
    /// It is a part of a packet.
    Fragment = 5,
    /// It is not UDP.
    NotUdp = 6,
    /// Its lengths disagree.
    BadLength = 7,
    /// A rule says so.
    Rule = 8,
    /// No rule says anything.
    NoRule = 9,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass, by the rule with this index.
    Accept(usize),
    /// It is dropped; by which rule, if it is one.
    Drop(Reason, Option<usize>),
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u32,
    bits: u32,
}

/// Every address.
pub const ANYWHERE: Network = Network::new([0; 4], 0);

impl Network {
    /// Those that begin with this many bits of an address, at most 32.
    #[must_use]
    pub const fn new(address: [u8; 4], bits: u32) -> Self {
        Self { address: u32::from_be_bytes(address), bits }
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(self, address: [u8; 4]) -> bool {
        // A shift by 32 bits leaves nothing to compare.
        let differs = u32::from_be_bytes(address) ^ self.address;
        differs.checked_shr(32 - self.bits).unwrap_or(0) == 0
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let it pass.
    Accept,
    /// Drop it.
    Drop,
}

/// A rule. The first that fits decides.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where the packet is from,
    pub source: Network,
    /// where to,
    pub destination: Network,
    /// and to which ports.
    pub ports: RangeInclusive<u16>,
    /// What becomes of it.
    pub action: Action,
}

/// The bytes of a message, in their order.
#[must_use]
pub fn bytes_of(words: [u64; 4]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, byte) in bytes.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)) {
        *place = byte;
    }
    bytes
}

/// What becomes of a packet that begins so.
#[must_use]
pub fn judge(rules: &[Rule], packet: &[u8; BYTES]) -> Verdict {
    let (source, destination, port) = match check(packet) {
        Ok(headers) => headers,
        Err(reason) => return Verdict::Drop(reason, None),
    };
    let fits = |rule: &Rule| {
        rule.source.contains(source) && rule.destination.contains(destination) && rule.ports.contains(&port)
    };
    match rules.iter().enumerate().find(|(_, rule)| fits(rule)) {
        Some((index, Rule { action: Action::Accept, .. })) => Verdict::Accept(index),
        Some((index, Rule { action: Action::Drop, .. })) => Verdict::Drop(Reason::Rule, Some(index)),
        None => Verdict::Drop(Reason::NoRule, None),
    }
}

/// Source, destination and the port there, of a packet that is as it should be.
fn check(packet: &[u8; BYTES]) -> Result<([u8; 4], [u8; 4], u16), Reason> {
    const UDP: u8 = 17;
    const UDP_HEADER: u16 = 8;
    let &[
        first,
        _,
        length0,
        length1,
        _,
        _,
        fragment0,
        fragment1,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
        ..,
    ] = packet;
    let [.., _, _, port0, port1, udp0, udp1, _, _, _, _, _, _] = packet;
    let (version, header_words) = (first >> 4, first & 0xf);
    let total = u16::from_be_bytes([length0, length1]);
    let header_bytes = u16::from(header_words) * 4;
    if version != 4 {
        return Err(Reason::NotIpv4);
    }
    if header_words < 5 || total < header_bytes {
        return Err(Reason::BadHeader);
    }
    if header_words > 5 {
        return Err(Reason::Options);
    }
    if checksum(packet.iter().take(header_bytes.into())) != 0xffff {
        return Err(Reason::BadChecksum);
    }
    // More of them follow, or this one is not the first.
    if u16::from_be_bytes([fragment0, fragment1]) & 0x3fff != 0 {
        return Err(Reason::Fragment);
    }
    if protocol != UDP {
        return Err(Reason::NotUdp);
    }
    let udp = u16::from_be_bytes([*udp0, *udp1]);
    if udp < UDP_HEADER || total - header_bytes < udp {
        return Err(Reason::BadLength);
    }
    Ok(([s0, s1, s2, s3], [d0, d1, d2, d3], u16::from_be_bytes([*port0, *port1])))
}

/// The sum in ones' complement of the words of a header. With its own checksum in it, it has no zeros (RFC 1071).
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    let shifted = bytes.enumerate().map(|(index, byte)| u32::from(*byte) << if index % 2 == 0 { 8 } else { 0 });
    let sum: u32 = shifted.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    ((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    const RULES: [Rule; 3] = [
        Rule {
            source: Network::new([10, 66, 0, 0], 16),
            destination: ANYWHERE,
            ports: 0..=u16::MAX,
            action: Action::Drop,
        },
        Rule { source: Network::new([10, 0, 0, 0], 8), destination: ANYWHERE, ports: 53..=53, action: Action::Accept },
        Rule {
            source: ANYWHERE,
            destination: Network::new([192, 168, 1, 7], 32),
            ports: 1024..=2047,
            action: Action::Accept,
        },
    ];

    /// A packet with a checksum that fits, unless it is changed afterwards.
    fn packet(source: [u8; 4], destination: [u8; 4], port: u16) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..12].copy_from_slice(&[0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 17, 0, 0]);
        bytes[12..16].copy_from_slice(&source);
        bytes[16..20].copy_from_slice(&destination);
        bytes[20..22].copy_from_slice(&4000_u16.to_be_bytes());
        bytes[22..24].copy_from_slice(&port.to_be_bytes());
        bytes[24..26].copy_from_slice(&20_u16.to_be_bytes());
        with_checksum(bytes)
    }

    fn with_checksum(mut bytes: [u8; BYTES]) -> [u8; BYTES] {
        bytes[10..12].fill(0);
        let sum = !checksum(bytes[..20].iter());
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// What becomes of a good packet that was changed.
    fn changed(change: impl FnOnce(&mut [u8; BYTES])) -> Verdict {
        let mut bytes = packet([10, 1, 2, 3], [8, 8, 8, 8], 53);
        change(&mut bytes);
        judge(&RULES, &with_checksum(bytes))
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let verdict = |source, destination, port| judge(&RULES, &packet(source, destination, port));
        assert_eq!(verdict([10, 1, 2, 3], [8, 8, 8, 8], 53), Verdict::Accept(1));
        assert_eq!(verdict([10, 66, 2, 3], [8, 8, 8, 8], 53), Verdict::Drop(Reason::Rule, Some(0)));
        assert_eq!(verdict([10, 1, 2, 3], [8, 8, 8, 8], 54), Verdict::Drop(Reason::NoRule, None));
        assert_eq!(verdict([11, 1, 2, 3], [192, 168, 1, 7], 2047), Verdict::Accept(2));
        assert_eq!(verdict([11, 1, 2, 3], [192, 168, 1, 7], 2048), Verdict::Drop(Reason::NoRule, None));
        assert_eq!(verdict([11, 1, 2, 3], [192, 168, 1, 6], 2047), Verdict::Drop(Reason::NoRule, None));
    }

    #[test]
    fn a_network_is_so_many_bits() {
        for (bits, inside) in [(0, true), (1, false), (8, false), (32, false)] {
            assert_eq!(Network::new([128, 0, 0, 1], bits).contains([0, 0, 0, 1]), inside);
        }
        let network = Network::new([10, 1, 2, 128], 25);
        assert!(network.contains([10, 1, 2, 255]) && !network.contains([10, 1, 2, 127]));
        assert!(Network::new([1, 2, 3, 4], 32).contains([1, 2, 3, 4]));
    }

    #[test]
    fn what_is_not_as_the_standards_say_is_dropped() {
        let drop = |reason| Verdict::Drop(reason, None);
        assert_eq!(changed(|bytes| bytes[0] = 0x65), drop(Reason::NotIpv4));
        assert_eq!(changed(|bytes| bytes[0] = 0x44), drop(Reason::BadHeader));
        assert_eq!(changed(|bytes| bytes[3] = 19), drop(Reason::BadHeader));
        assert_eq!(changed(|bytes| bytes[0] = 0x46), drop(Reason::Options));
        assert_eq!(changed(|bytes| bytes[6] = 0x20), drop(Reason::Fragment));
        assert_eq!(changed(|bytes| bytes[7] = 1), drop(Reason::Fragment));
        assert_eq!(changed(|bytes| bytes[9] = 6), drop(Reason::NotUdp));
        assert_eq!(changed(|bytes| bytes[25] = 7), drop(Reason::BadLength));
        assert_eq!(changed(|bytes| bytes[25] = 21), drop(Reason::BadLength));
        let mut bytes = packet([10, 1, 2, 3], [8, 8, 8, 8], 53);
        bytes[8] = 63;
        assert_eq!(judge(&RULES, &bytes), drop(Reason::BadChecksum));
    }

    #[test]
    fn each_bit_of_the_header_is_in_the_checksum() {
        let good = packet([10, 1, 2, 3], [8, 8, 8, 8], 53);
        for bit in 0..20 * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(judge(&RULES, &bytes), Verdict::Drop(..)), "bit {bit}");
        }
    }

    #[test]
    fn words_hold_the_bytes_in_their_order() {
        let bytes = bytes_of([0x0706_0504_0302_0100, 0, 0, 0x1f1e_1d1c_1b1a_1918]);
        assert_eq!((bytes[..8].to_vec(), bytes[24..].to_vec()), ((0..8).collect(), (0x18..0x20).collect()));
    }
}
