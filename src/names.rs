//! Enums with stable names: those of logs, JSON and metric labels, on which dashboards and alerts are built.

/// Declares an enum with `ALL`, `name` and `from_name`, that is written as its name in JSON.
macro_rules! names {
    ($(#[$meta:meta])* $visibility:vis enum $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visibility enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// Every variant, in the order of declaration.
            $visibility const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the stable name.
            $visibility const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the variant of a stable name.
            $visibility fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.name() == name)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

/// Reads enums of [`names!`] from JSON. A name that only another version knows is read as the default.
macro_rules! read_names {
    ($($type:ident),*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from_name(&name).unwrap_or_default())
            }
        }
    )*};
}

pub(crate) use {names, read_names};

#[cfg(test)]
mod tests {
    names! {
        /// For the test.
        #[derive(Default)]
        enum Fruit {
            /// Round.
            Apple = "apple",
            /// The default.
            #[default]
            BloodOrange = "blood_orange",
        }
    }
    read_names!(Fruit);

    #[test]
    fn names_are_written_and_read() {
        assert_eq!(Fruit::ALL.map(Fruit::name), ["apple", "blood_orange"]);
        assert_eq!(Fruit::from_name("apple"), Some(Fruit::Apple));
        assert_eq!(Fruit::from_name("Apple"), None);
        assert_eq!(
            serde_json::to_string(&Fruit::BloodOrange).unwrap(),
            "\"blood_orange\""
        );
        let read = |text| serde_json::from_str::<Fruit>(text).unwrap();
        assert_eq!(read("\"apple\""), Fruit::Apple);
        assert_eq!(
            read("\"quince\""),
            Fruit::BloodOrange,
            "a name of another version"
        );
    }
}
