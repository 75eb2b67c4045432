//! Where in a body a value stands, for errors: made as the reader goes down, written only when something is wrong.

/// A place below `body`.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    above: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// A top-level field.
    pub(super) const fn field(name: &'p str) -> Self {
        Self { above: None, step: Step::Field(name) }
    }

    /// A member of the object here.
    pub(super) const fn member<'s>(&'s self, name: &'s str) -> Path<'s> {
        Path { above: Some(self), step: Step::Field(name) }
    }

    /// An element of the list here.
    pub(super) const fn element(&self, index: usize) -> Path<'_> {
        Path { above: Some(self), step: Step::Index(index) }
    }

    /// The steps from the top.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps = self.above.map(Path::steps).unwrap_or_default();
        steps.push(match self.step {
            Step::Field(name) => super::shortened(name),
            Step::Index(index) => index.to_string(),
        });
        steps
    }
}
