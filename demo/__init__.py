"""A real Home Assistant with a simulated rack: what `script/demo` and the end-to-end tests run."""
