//! `tidegate call`.
