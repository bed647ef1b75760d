#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    keyless::fuzzing::run("azure-token", input);
});
