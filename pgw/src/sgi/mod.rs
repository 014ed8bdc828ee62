//! Corporate segments.
