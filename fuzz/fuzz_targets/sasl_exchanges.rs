#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kproxy_fuzz::sasl_exchanges(input));
