/// Accessors for the inner service, as on tower's services.
macro_rules! inner_accessors {
    () => {
        /// Returns a reference to the inner service.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// Returns a mutable reference to the inner service.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Consumes `self` and returns the inner service.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
