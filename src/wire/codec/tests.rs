use super::{Codec, DecodeError, EncodeError, Postcard};

fn round_trip<T>(value: &T) -> T
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut bytes = Vec::new();
    Postcard::encode(value, &mut bytes).unwrap();
    Postcard::decode(&bytes).unwrap()
}

#[test]
fn values_come_back() {
    assert_eq!(
        round_trip(&(1_u8, -5_i64, "ä".to_owned(), Some(vec![1.5_f64]))),
        (1, -5, "ä".to_owned(), Some(vec![1.5]))
    );
    round_trip(&());
}

#[test]
fn bytes_are_appended() {
    let mut bytes = vec![9];
    Postcard::encode(&7_u8, &mut bytes).unwrap();
    assert_eq!(bytes, [9, 7]);
}

#[test]
fn short_long_and_wrong_bytes_are_errors() {
    assert!(matches!(Postcard::decode::<String>(&[5, b'a']), Err(DecodeError::Value { .. })));
    assert_eq!(Postcard::decode::<u8>(&[1, 2]), Err(DecodeError::LeftOver { bytes: 1 }));
    assert!(matches!(Postcard::decode::<bool>(&[7]), Err(DecodeError::Value { .. })));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    struct Refuses;
    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let error = Postcard::encode(&[Some(Refuses)], &mut Vec::new()).unwrap_err();
    assert_eq!(error, EncodeError::Value { message: "no".to_owned() });
}

#[test]
fn a_message_cannot_ask_for_all_stack_or_all_time() {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    enum List {
        End,
        Then(Box<List>),
    }
    let text = |error| match error {
        DecodeError::Value { message } => message,
        other => panic!("{other:?}"),
    };
    let deep = [1; 1 << 20];
    assert!(text(Postcard::decode::<List>(&deep).unwrap_err()).contains("nests"));
    assert!(text(Postcard::decode::<Vec<List>>(&deep).unwrap_err()).contains("nests"));
    #[cfg(feature = "bincode")]
    assert!(crate::Bincode::decode::<List>(&deep).is_err());
    let mut as_deep_as_written = [1; 129];
    as_deep_as_written[128] = 0;
    assert!(Postcard::decode::<List>(&as_deep_as_written).is_ok());

    let endless = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    assert!(text(Postcard::decode::<Vec<()>>(&endless).unwrap_err()).contains("elements"));
    #[cfg(feature = "bincode")]
    assert!(crate::Bincode::decode::<Vec<()>>(&[253, 0, 0, 0, 0, 0, 0, 0, 16]).is_err());
    assert_eq!(round_trip(&vec![(); 1 << 20]).len(), 1 << 20);
    assert_eq!(round_trip(&vec![vec![7_u8; 3]; 100_000]).len(), 100_000);
    let map: std::collections::BTreeMap<u32, Vec<()>> = (0..1000).map(|key| (key, Vec::new())).collect();
    assert_eq!(round_trip(&map), map);
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Gap {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first: Option<u8>,
    second: u8,
}

#[test]
fn a_field_that_is_left_out_is_an_error_and_no_other_value() {
    let whole = Gap { first: Some(1), second: 2 };
    assert_eq!(round_trip(&whole), whole);
    let error = Postcard::encode(&vec![(0, Gap { first: None, second: 2 })], &mut Vec::new()).unwrap_err();
    assert!(matches!(&error, EncodeError::Value { message } if message.contains("field first")), "{error:?}");
}

#[test]
fn flattened_and_untagged_values_are_errors() {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Outer {
        a: u8,
        #[serde(flatten)]
        inner: Gap,
    }
    let outer = Outer { a: 1, inner: Gap { first: Some(1), second: 2 } };
    assert!(matches!(Postcard::encode(&outer, &mut Vec::new()), Err(EncodeError::Value { .. })));

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
        Text(String),
    }
    let mut bytes = Vec::new();
    Postcard::encode(&(Either::Number(1), Either::Text("x".to_owned())), &mut bytes).unwrap();
    assert!(matches!(Postcard::decode::<(Either, Either)>(&bytes), Err(DecodeError::Value { .. })));
}

#[test]
fn every_kind_of_value_passes_the_guard() {
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Unit;
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct New(i128);
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Pair(char, u16);
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    enum All {
        Unit(Unit),
        Empty,
        New(New),
        Pair(Pair, f32),
        Named { map: std::collections::BTreeMap<String, Option<bool>>, address: std::net::IpAddr },
    }
    let map = [("a".to_owned(), None), ("b".to_owned(), Some(true))].into();
    let all = vec![
        All::Unit(Unit),
        All::Empty,
        All::New(New(i128::MIN)),
        All::Pair(Pair('ä', 7), 0.5),
        All::Named { map, address: std::net::Ipv4Addr::LOCALHOST.into() },
    ];
    assert_eq!(round_trip(&all), all);
}
