// Runs a fuzz target over files, without libFuzzer: for seeds in every build, and for a finding.
//
// Usage: seeds_update FILE_OR_DIRECTORY… Exit code 1 where there is nothing to run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string octets{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // Exactly as large as the input, so that a sanitizer sees every octet read beyond it.
  const std::vector<std::uint8_t> input(octets.begin(), octets.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path(argv[i]);
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
        if (entry.is_regular_file()) count += run_file(entry.path());
    } else if (std::filesystem::exists(path)) {
      count += run_file(path);
    }
  }
  std::printf("%zu inputs\n", count);
  return count == 0 ? 1 : 0;
}
