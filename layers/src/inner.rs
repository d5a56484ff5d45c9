/// What every service of a layer offers to reach the service that it wraps, as those of tower do.
macro_rules! inner_accessors {
    () => {
        /// The inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The inner service, to be changed.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// The inner service alone.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
