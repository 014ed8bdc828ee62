//! Open sets of code points: a number with names for the values that the specification lists, so
//! that one nobody has listed yet survives, prints and compares.

macro_rules! code {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$vdoc:meta])* $konst:ident = $value:literal, $text:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u8);

        impl $name {
            $(
                #[doc = concat!($text, ".")]
                $(#[$vdoc])*
                pub const $konst: Self = Self($value);
            )*

            /// Every value that has a name, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$konst),*];

            /// The name in the specification, if the value has one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$konst => Some($text),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "#{} {name}", self.0),
                    None => write!(f, "#{}", self.0),
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

pub(crate) use code;
