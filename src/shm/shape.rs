//! Shapes: numbers that are the same for plain types with the same fields, in every program and build.

/// Not a number that a shape starts from by chance.
const START: u64 = 0xcbf2_9ce4_8422_2325;
pub(super) const ROW: u64 = 0x726f_7773_6f66_6974;
const ARRAY: u64 = 0x6172_7261_7973_6f66;

/// Two into one: neither their order nor any bit of them is lost on it.
pub(super) const fn mix(one: u64, other: u64) -> u64 {
    let mixed = (one.rotate_left(29) ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}

const fn text(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut shape, mut at) = (START, 0);
    while at < bytes.len() {
        shape = (shape ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    mix(shape, bytes.len() as u64)
}

/// A number's.
pub(super) const fn number(name: &str, size: usize) -> u64 {
    mix(text(name), size as u64)
}

/// An array's.
pub(super) const fn array(item: u64, length: usize) -> u64 {
    mix(mix(ARRAY, item), length as u64)
}

/// A type of which only the size is known.
pub(super) const fn unknown(size: usize, align: usize) -> u64 {
    mix(mix(START, size as u64), align as u64)
}

/// A struct's, of its fields' names and shapes in their order.
#[doc(hidden)]
#[must_use]
pub const fn shape_of_fields(fields: &[(&str, u64)]) -> u64 {
    let (mut shape, mut at) = (mix(START, fields.len() as u64), 0);
    while at < fields.len() {
        shape = mix(mix(shape, text(fields[at].0)), fields[at].1);
        at += 1;
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_has_another_shape() {
        let (f, u) = (number("f64", 8), number("u64", 8));
        let shapes = [
            f,
            u,
            array(f, 2),
            array(f, 3),
            array(u, 3),
            array(array(f, 3), 1),
            mix(ROW, f),
            shape_of_fields(&[]),
            shape_of_fields(&[("x", f)]),
            shape_of_fields(&[("x", f), ("y", f)]),
            shape_of_fields(&[("y", f), ("x", f)]),
            shape_of_fields(&[("x", f), ("y", u)]),
            shape_of_fields(&[("xy", f), ("", f)]),
            shape_of_fields(&[("p", shape_of_fields(&[("x", f), ("y", f)]))]),
            unknown(8, 8),
            unknown(8, 4),
        ];
        for (at, shape) in shapes.iter().enumerate() {
            assert!(*shape != 0 && !shapes[..at].contains(shape), "{at}");
        }
        assert_eq!(f, number("f64", 8));
    }
}
