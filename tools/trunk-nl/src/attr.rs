// SPDX-License-Identifier: GPL-2.0

//! Attributes: lists of them to be sent, and values of those received. netlink-packet-core encodes.

use netlink_packet_core::{
    parse_u16, parse_u32, parse_u64, parse_u8, DecodeError, DefaultNla, Emitable, NlaBuffer,
    NlasIterator, NLA_F_NESTED,
};

use crate::error::{malformed, Result};

/// The attributes in a range of bytes. Ends after the first that is malformed.
pub(crate) type Attributes<'a> = NlasIterator<&'a [u8]>;

/// One attribute of a message.
pub(crate) type Attr<'a> = NlaBuffer<&'a [u8]>;

/// Attributes to be sent. A value has at most 65,531 bytes; callers have checked what comes from a
/// user.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<DefaultNla>);

impl Writer {
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        self.0.push(DefaultNla::new(kind, value.to_vec()));
    }

    pub fn u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    pub fn optional_u32(&mut self, kind: u16, value: Option<u32>) {
        if let Some(value) = value {
            self.u32(kind, value);
        }
    }

    pub fn string(&mut self, kind: u16, value: &str) {
        self.put(kind, &[value.as_bytes(), &[0]].concat());
    }

    pub fn flag(&mut self, kind: u16) {
        self.put(kind, &[]);
    }

    /// Appends an attribute with the attributes that `fill` writes.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        fill(&mut inner);
        let mut value = vec![0; inner.buffer_len()];
        inner.emit(&mut value);
        self.put(kind | NLA_F_NESTED, &value);
    }
}

impl Emitable for Writer {
    fn buffer_len(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }
}

/// The value of an attribute, by its type.
pub(crate) trait Typed {
    /// Returns the value by a function such as [`parse_u32`].
    fn get<T>(&self, parse: fn(&[u8]) -> Result<T, DecodeError>) -> Result<T>;

    fn u32(&self) -> Result<u32> {
        self.get(parse_u32)
    }

    /// Returns an unsigned integer of any width, as the spec's type `uint`.
    fn uint(&self) -> Result<u64>;

    /// Returns text up to the first NUL. It replaces what is not UTF-8: a device may have any name.
    fn string(&self) -> String;

    /// Returns [`string`](Self::string), for [`Fields`].
    fn text(&self) -> Result<String> {
        Ok(self.string())
    }

    fn nest(&self) -> Attributes<'_>;
}

impl Typed for Attr<'_> {
    fn get<T>(&self, parse: fn(&[u8]) -> Result<T, DecodeError>) -> Result<T> {
        parse(self.value()).map_err(|why| malformed(format!("attribute {}: {why}", self.kind())))
    }

    // netlink-packet-core has no integer of any width.
    fn uint(&self) -> Result<u64> {
        match self.value().len() {
            1 => self.get(parse_u8).map(u64::from),
            2 => self.get(parse_u16).map(u64::from),
            4 => self.get(parse_u32).map(u64::from),
            _ => self.get(parse_u64),
        }
    }

    // netlink-packet-core refuses what is not UTF-8.
    fn string(&self) -> String {
        let text = self.value().split(|octet| *octet == 0).next();
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    }

    fn nest(&self) -> Attributes<'_> {
        Attributes::new(self.value())
    }
}

/// The attributes of a message or nest, by type; the last one of a type. It has no attributes whose
/// type has no name.
pub(crate) struct Fields<'a> {
    all: Vec<Option<Attr<'a>>>,
    names: &'static [&'static str],
    /// Name of the nest, with a dot; empty for the message itself.
    prefix: &'static str,
}

impl<'a> Fields<'a> {
    pub fn read(
        attributes: Attributes<'a>,
        names: &'static [&'static str],
        prefix: &'static str,
    ) -> Result<Self> {
        let mut all = vec![None; names.len()];
        for attribute in attributes {
            let attribute = attribute?;
            if let Some(field) = all.get_mut(usize::from(attribute.kind())) {
                *field = Some(attribute);
            }
        }
        Ok(Self { all, names, prefix })
    }

    pub fn has(&self, kind: u16) -> bool {
        matches!(self.all.get(usize::from(kind)), Some(Some(_)))
    }

    /// Returns the value of an attribute that may be missing.
    pub fn get<T>(&self, kind: u16, read: fn(&Attr<'a>) -> Result<T>) -> Result<Option<T>> {
        let attribute = self.all.get(usize::from(kind)).and_then(Option::as_ref);
        attribute.map(read).transpose()
    }

    /// Returns the value of an attribute that each answer has.
    pub fn need<T>(&self, kind: u16, read: fn(&Attr<'a>) -> Result<T>) -> Result<T> {
        let name = self.names.get(usize::from(kind)).unwrap_or(&"");
        let missing = || malformed(format!("there is no {}{name}", self.prefix));
        self.get(kind, read)?.ok_or_else(missing)
    }
}

/// Returns attributes and their offsets, up to the first one that is malformed: netlink-packet-core
/// has no offsets.
pub(crate) fn located(all: &[u8]) -> impl Iterator<Item = (usize, Attr<'_>)> {
    let sound = Attributes::new(all).map_while(Result::ok);
    sound.scan(0, |next, attribute| {
        let offset = *next;
        *next += usize::from(attribute.length()).next_multiple_of(4);
        Some((offset, attribute))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::written;

    #[test]
    fn what_is_written_is_read() {
        let bytes = written(|w| {
            w.u32(1, 0x0102_0304);
            w.flag(2);
            w.string(3, "eth1");
            w.nest(4, |w| w.u32(5, 6));
        });
        let all: Vec<_> = Attributes::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            located(&bytes)
                .map(|(offset, a)| (a.kind(), offset))
                .collect::<Vec<_>>(),
            [(1, 0), (2, 8), (3, 12), (4, 24)]
        );
        assert_eq!(all[0].u32().unwrap(), 0x0102_0304);
        assert!(all[1].value().is_empty());
        assert_eq!(all[2].string(), "eth1");
        let inner = all[3].nest().next().unwrap().unwrap();
        assert_eq!((inner.kind(), inner.u32().unwrap()), (5, 6));
    }

    #[test]
    fn uint_has_any_width() {
        for (value, want) in [
            (&[7u8][..], 7),
            (&7u32.to_ne_bytes()[..], 7),
            (&(7u64 << 40).to_ne_bytes()[..], 7 << 40),
        ] {
            let bytes = written(|w| w.put(1, value));
            let attribute = Attributes::new(&bytes).next().unwrap().unwrap();
            assert_eq!(attribute.uint().unwrap(), want);
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_the_end() {
        let bytes = written(|w| w.u32(1, 2));
        for length in 1..bytes.len() {
            let mut all = Attributes::new(&bytes[..length]);
            assert!(all.next().unwrap().is_err(), "{length}");
            assert!(all.next().is_none());
        }
        // A length shorter than the header would never end.
        assert!(Attributes::new(&[0; 8]).next().unwrap().is_err());
        assert!(Attributes::new(&[]).next().is_none());
    }
}
