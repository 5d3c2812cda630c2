// collector/input_file and mrt_cursor: compression by magic number, cut-off and damaged streams.
#include <bzlib.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include <thread>

#include "collector/input_file.h"
#include "collector/mrt_cursor.h"
#include "mrt_builder.h"

using namespace mrt_test;
using lapwing::collector::InputFile;
using lapwing::collector::MrtCursor;
using lapwing::collector::MrtStatistics;

namespace {

/// Compresses, but not to nothing.
Bytes sample(std::size_t size) {
  Bytes data(size);
  std::uint32_t state = 1;
  for (std::uint8_t& b : data) {
    state = state * 1664525 + 1013904223;
    b = static_cast<std::uint8_t>((state >> 24) & 0x3f);
  }
  return data;
}

Bytes gzip(const Bytes& data) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes out(deflateBound(&z, data.size()) + 64);
  z.next_in = const_cast<Bytef*>(data.data());
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

Bytes bzip2(const Bytes& data) {
  auto size = static_cast<unsigned>(data.size() + data.size() / 100 + 600);
  Bytes out(size);
  BZ2_bzBuffToBuffCompress(
      reinterpret_cast<char*>(out.data()), &size,
      reinterpret_cast<char*>(const_cast<std::uint8_t*>(data.data())),
      static_cast<unsigned>(data.size()), 1, 0, 0);
  out.resize(size);
  return out;
}

Bytes zstd(const Bytes& data) {
  Bytes out(ZSTD_compressBound(data.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
  return out;
}

/// "xz -0" of sixteen letters 'a': liblzma's encoder is no dependency of the tests.
const Bytes kXzOfLetters = {
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
    0x0c, 0x00, 0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0xe0, 0x00, 0x0f, 0x00, 0x06, 0x5d, 0x00, 0x30,
    0xed, 0x3c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfb, 0x55, 0x98, 0x88, 0x7d, 0xa8, 0x5a, 0x46,
    0x00, 0x01, 0x22, 0x10, 0x6f, 0xe3, 0x83, 0x9a, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x04, 0x59, 0x5a,
};

struct ReadResult {
  Bytes data;
  std::string error;
};

ReadResult read_all(const std::string& path) {
  ReadResult result;
  InputFile file;
  if (file.open(path))
    for (Octets block = file.next_block(); !block.empty(); block = file.next_block())
      result.data.insert(result.data.end(), block.begin(), block.end());
  result.error = file.error();
  return result;
}

ReadResult read_all(const Bytes& content) {
  const TempFile file(content);
  return read_all(file.path());
}

}  // namespace

TEST_CASE("input: plain, gzip, bzip2 and zstd are told by their first octets") {
  for (const std::size_t size : {1u, 5000u, 3'000'000u}) {
    const Bytes data = sample(size);
    for (const Bytes& content : {data, gzip(data), bzip2(data), zstd(data)}) {
      const ReadResult r = read_all(content);
      CHECK(r.error == "");
      CHECK(r.data == data);
    }
  }
}

TEST_CASE("input: xz") {
  const ReadResult r = read_all(kXzOfLetters);
  CHECK(r.error == "");
  CHECK(r.data == Bytes(16, 'a'));
  Bytes twice = kXzOfLetters + kXzOfLetters;
  CHECK(read_all(twice).data == Bytes(32, 'a'));
  twice.resize(twice.size() - 20);
  const ReadResult cut = read_all(twice);
  CHECK(cut.error == "the compressed data end before their end");
}

TEST_CASE("input: streams that follow one another are one") {
  const Bytes a = sample(300'000), b = sample(1000);
  for (const Bytes& content : {gzip(a) + gzip(b), bzip2(a) + bzip2(b), zstd(a) + zstd(b)}) {
    const ReadResult r = read_all(content);
    CHECK(r.error == "");
    CHECK(r.data == a + b);
  }
}

TEST_CASE("input: a cut-off stream gives what can be decoded, and an error") {
  const Bytes data = sample(1'000'000);
  for (const Bytes& whole : {gzip(data), bzip2(data), zstd(data)}) {
    Bytes cut = whole;
    cut.resize(whole.size() * 9 / 10);
    const ReadResult r = read_all(cut);
    CHECK(r.error == "the compressed data end before their end");
    REQUIRE(r.data.size() < data.size());
    // bzip2 -1 decodes blocks of 100,000 octets, zstd of 128 KiB.
    CHECK(r.data.size() > data.size() * 7 / 10);
    CHECK(std::equal(r.data.begin(), r.data.end(), data.begin()));
  }
}

TEST_CASE("input: a damaged stream gives what is before the damage, and an error") {
  const Bytes data = sample(1'000'000);
  // zstd's frames have no checksum unless asked for: damage to its literals shows nowhere.
  for (Bytes content : {gzip(data), bzip2(data)}) {
    for (std::size_t i = 0; i < 64; ++i) content[content.size() / 2 + i] ^= 0x5a;
    const ReadResult r = read_all(content);
    CHECK(r.error.find("damaged") != std::string::npos);
    CHECK((r.data.size() < data.size() || r.data != data));
  }
}

TEST_CASE("input: what follows a stream and is none is an error, and the stream is whole") {
  const Bytes data = sample(1000);
  for (const Bytes& whole : {gzip(data), bzip2(data)}) {
    const ReadResult r = read_all(whole + Bytes(50, 'x'));
    CHECK(r.error.find("other data follow") != std::string::npos);
    CHECK(r.data == data);
  }
}

TEST_CASE("input: an MRT file of April 2005 that begins like bzip2 is plain") {
  const Bytes plain = record(0x425a6839, 16, 4, Bytes(30));
  CHECK(read_all(plain).data == plain);
}

TEST_CASE("input: an empty file is empty, a missing file and a folder are errors") {
  CHECK(read_all(Bytes{}).error == "");
  CHECK(read_all(Bytes{}).data.empty());
  CHECK(read_all(std::string("/nonexistent/file")).error != "");
  CHECK(read_all(std::string("/")).error != "");
}

TEST_CASE("input: a file that is given up is closed, and a reader stops, also with a full ring") {
  const Bytes data = sample(InputFile::kBlockSize * (InputFile::kBlocks + 8));
  for (const Bytes& content : {data, gzip(data)}) {
    const TempFile file(content);
    InputFile input;
    REQUIRE(input.open(file.path()));
    CHECK_FALSE(input.next_block().empty());
  }
}

TEST_CASE("input: what was consumed is counted as it is stored, plain and compressed") {
  const Bytes data = sample(InputFile::kBlockSize * 3 + 5);
  for (const Bytes& content : {data, gzip(data)}) {
    const TempFile file(content);
    InputFile input;
    CHECK(input.consumed() == 0);
    REQUIRE(input.open(file.path()));
    std::size_t blocks = 0;
    for (; !input.next_block().empty(); ++blocks) CHECK(input.consumed() > 0);
    CHECK(blocks >= 4);
    CHECK(input.consumed() == content.size());
    CHECK(input.next_block().empty());
    CHECK(input.error() == "");
  }
}

TEST_CASE("input: a pipe that has a name is read as it comes") {
  const TempFile file(Bytes{});
  const std::string path = file.path() + ".fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int both = ::open(path.c_str(), O_RDWR);  // so that nobody waits for the other end
  REQUIRE(both >= 0);
  {
    InputFile input;
    REQUIRE(input.open(path));
    const Bytes first = sample(20);
    REQUIRE(::write(both, first.data(), first.size()) == 20);
    const Octets block = input.next_block();
    CHECK(Bytes(block.begin(), block.end()) == first);
  }
  ::close(both);
  ::unlink(path.c_str());
}

TEST_CASE("input: \"-\" reads standard input, piece by piece as it comes") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  const int saved = ::dup(0);
  ::dup2(fds[0], 0);
  {
    InputFile input;
    REQUIRE(input.open("-"));
    const Bytes first = sample(20);
    REQUIRE(::write(fds[1], first.data(), first.size()) == 20);
    const Octets block = input.next_block();
    CHECK(Bytes(block.begin(), block.end()) == first);
    // Given up while the pipe is open: must not hang.
  }
  ::dup2(saved, 0);
  ::close(saved);
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("cursor: records of all sizes across the borders of blocks") {
  Bytes content;
  std::vector<std::size_t> sizes;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const std::size_t size = (i * 7919) % 40'000 + (i == 30 ? 2 * InputFile::kBlockSize : 0);
    sizes.push_back(size);
    content = std::move(content) + record(i, 99, i, Bytes(size, static_cast<std::uint8_t>(i)));
  }
  const TempFile file(content);
  MrtStatistics statistics;
  MrtCursor cursor(file.path(), statistics);
  REQUIRE(cursor.open());
  mrt::RecordView r;
  std::uint64_t offset = 0;
  for (std::uint32_t i = 0; i < 60; ++i) {
    REQUIRE(cursor.next(r));
    CHECK(r.time == at(i));
    CHECK(r.subtype == i);
    CHECK(cursor.offset() == offset);
    REQUIRE(r.body.size() == sizes[i]);
    CHECK(std::all_of(r.body.begin(), r.body.end(), [i](std::uint8_t b) { return b == i; }));
    offset += 12 + sizes[i];
  }
  CHECK_FALSE(cursor.next(r));
  CHECK(statistics.records == 60);
  CHECK(statistics.octets == content.size());
  CHECK(statistics.warning_count == 0);
}

TEST_CASE("cursor: a file that ends within a record warns with its offset") {
  const Bytes whole = record(1, 16, 4, Bytes(50)) + record(2, 16, 4, Bytes(50));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const TempFile file(Bytes(whole.begin(), whole.begin() + long(n)));
    MrtStatistics statistics;
    MrtCursor cursor(file.path(), statistics);
    REQUIRE(cursor.open());
    mrt::RecordView r;
    std::size_t records = 0;
    while (cursor.next(r)) ++records;
    CHECK(records == n / 62);
    REQUIRE(statistics.warning_count == (n % 62 == 0 ? 0 : 1));
    if (n % 62 != 0) CHECK(statistics.warnings[0].offset == n / 62 * 62);
  }
}

TEST_CASE("cursor: a record of absurd length is skipped, not held") {
  const std::size_t huge = MrtCursor::kMaxRecord + 1;
  const TempFile file(record(1, 99, 0, Bytes(5)) + record(2, 99, 0, Bytes(huge)) +
                      record(3, 99, 0, Bytes(5)));
  MrtStatistics statistics;
  MrtCursor cursor(file.path(), statistics);
  REQUIRE(cursor.open());
  mrt::RecordView r;
  REQUIRE(cursor.next(r));
  REQUIRE(cursor.next(r));
  CHECK(r.time == at(3));
  CHECK_FALSE(cursor.next(r));
  CHECK(statistics.malformed == 1);
  CHECK(statistics.warnings.at(0).offset == 17);
}
