#pragma once
// What the configuration's tests share.

namespace lapwing::collector::test {

/// The least that `[speaker]` must say; three lines.
inline constexpr const char* kSpeaker = "[speaker]\nlocal-as = 64512\nrouter-id = \"192.0.2.10\"\n";

}  // namespace lapwing::collector::test
