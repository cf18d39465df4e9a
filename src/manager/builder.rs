use std::fmt;
use std::sync::Arc;

use super::AioManager;
use super::error::StartError;
use super::link::Link;
use super::owner::Owner;
use crate::connection::{Address, AddressError, AuthKey, IntoAddress};

/// How a manager is to be started. Made by [`AioManager::builder`].
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::builder().address("tcp:127.0.0.1:0").authkey(b"secret").start()?;
///     assert_ne!(manager.address().tcp().unwrap().port(), 0);
///     Ok(())
/// }
/// ```
#[must_use = "a builder starts nothing until `start`"]
pub struct ManagerBuilder {
    address: Option<Result<Address, AddressError>>,
    key: Option<AuthKey>,
    name: String,
}

impl ManagerBuilder {
    pub(super) fn new() -> Self {
        Self { address: None, key: None, name: "AioManager".to_owned() }
    }

    /// Where it listens; by default under an abstract name that nobody else has.
    pub fn address(mut self, address: impl IntoAddress) -> Self {
        self.address = Some(address.into_address());
        self
    }

    /// What its clients must hold; by default a random key, which travels with the handle and is told by
    /// [`authkey`](AioManager::authkey).
    pub fn authkey(mut self, key: impl Into<AuthKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What the server's process is called: `AioManager` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// As [`AioManager::start`].
    ///
    /// # Errors
    ///
    /// As [`AioManager::start`]. [`StartError::is_in_use`] if somebody listens at the address.
    pub fn start(self) -> Result<AioManager, StartError> {
        let address = self.address.unwrap_or_else(Address::private)?;
        let key = self.key.map_or_else(AuthKey::random, Ok)?;
        let (owner, address, manager) = Owner::start(self.name, address, key.clone())?;
        Ok(AioManager { link: Arc::new(Link::new(address, key, manager)), owner: Some(Arc::new(owner)) })
    }
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
