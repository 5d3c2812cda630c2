#include "collector/decoder.h"

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#ifdef LAPWING_HAVE_LZMA
#include <lzma.h>
#endif

namespace lapwing::collector {

namespace {

// zlib and bzip2 count in `unsigned` and do not declare their input const.
unsigned as_count(std::size_t n) {
  return static_cast<unsigned>(std::min<std::size_t>(n, std::numeric_limits<unsigned>::max()));
}

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() { ready_ = inflateInit2(&z_, 15 + 16) == Z_OK; }
  ~GzipDecoder() override { inflateEnd(&z_); }

  const char* step(DecoderBuffers& b) override {
    if (!ready_) return "gzip: no memory";
    if (ended_ && b.in_left > 0) {
      inflateReset(&z_);
      ended_ = false;
      first_ = false;
    }
    if (ended_) return nullptr;
    const unsigned in = as_count(b.in_left);
    const unsigned out = as_count(b.out_left);
    z_.next_in = const_cast<Bytef*>(b.in);
    z_.avail_in = in;
    z_.next_out = b.out;
    z_.avail_out = out;
    const int result = inflate(&z_, Z_NO_FLUSH);
    b.in += in - z_.avail_in;
    b.in_left -= in - z_.avail_in;
    b.out += out - z_.avail_out;
    b.out_left -= out - z_.avail_out;
    if (result == Z_STREAM_END)
      ended_ = true;
    else if (result != Z_OK && result != Z_BUF_ERROR)
      return !first_ && z_.total_out == 0 ? "gzip: other data follow the stream"
                                          : "gzip: the data are damaged";
    return nullptr;
  }
  bool complete() const override { return ended_; }

 private:
  z_stream z_{};
  bool ready_ = false;
  bool ended_ = false;
  bool first_ = true;
};

class Bzip2Decoder final : public Decoder {
 public:
  Bzip2Decoder() { ready_ = BZ2_bzDecompressInit(&z_, 0, 0) == BZ_OK; }
  ~Bzip2Decoder() override {
    if (ready_) BZ2_bzDecompressEnd(&z_);
  }

  const char* step(DecoderBuffers& b) override {
    if (ended_ && b.in_left > 0) {
      BZ2_bzDecompressEnd(&z_);
      z_ = {};
      ready_ = BZ2_bzDecompressInit(&z_, 0, 0) == BZ_OK;
      ended_ = false;
      first_ = false;
    }
    if (!ready_) return "bzip2: no memory";
    if (ended_) return nullptr;
    const unsigned in = as_count(b.in_left);
    const unsigned out = as_count(b.out_left);
    z_.next_in = reinterpret_cast<char*>(const_cast<std::uint8_t*>(b.in));
    z_.avail_in = in;
    z_.next_out = reinterpret_cast<char*>(b.out);
    z_.avail_out = out;
    const int result = BZ2_bzDecompress(&z_);
    b.in += in - z_.avail_in;
    b.in_left -= in - z_.avail_in;
    b.out += out - z_.avail_out;
    b.out_left -= out - z_.avail_out;
    if (result == BZ_STREAM_END)
      ended_ = true;
    else if (result == BZ_DATA_ERROR_MAGIC && !first_)
      return "bzip2: other data follow the stream";
    else if (result != BZ_OK)
      return "bzip2: the data are damaged";
    return nullptr;
  }
  bool complete() const override { return ended_; }

 private:
  bz_stream z_{};
  bool ready_ = false;
  bool ended_ = false;
  bool first_ = true;
};

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : z_(ZSTD_createDStream()) {}
  ~ZstdDecoder() override { ZSTD_freeDStream(z_); }

  const char* step(DecoderBuffers& b) override {
    if (z_ == nullptr) return "zstd: no memory";
    if (ended_ && b.in_left == 0) return nullptr;
    ZSTD_inBuffer in{b.in, b.in_left, 0};
    ZSTD_outBuffer out{b.out, b.out_left, 0};
    const std::size_t result = ZSTD_decompressStream(z_, &out, &in);
    b.in += in.pos;
    b.in_left -= in.pos;
    b.out += out.pos;
    b.out_left -= out.pos;
    if (ZSTD_isError(result) != 0) return "zstd: the data are damaged";
    ended_ = result == 0;
    return nullptr;
  }
  bool complete() const override { return ended_; }

 private:
  ZSTD_DStream* z_;
  bool ended_ = false;
};

#ifdef LAPWING_HAVE_LZMA
class XzDecoder final : public Decoder {
 public:
  XzDecoder() {
    constexpr std::uint64_t kMemoryLimit = 512u << 20;  // xz -9 needs 65 MiB to decode
    ready_ = lzma_stream_decoder(&z_, kMemoryLimit, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzDecoder() override { lzma_end(&z_); }

  const char* step(DecoderBuffers& b) override {
    if (!ready_) return "xz: no memory";
    if (ended_) return nullptr;
    z_.next_in = b.in;
    z_.avail_in = b.in_left;
    z_.next_out = b.out;
    z_.avail_out = b.out_left;
    const lzma_ret result = lzma_code(&z_, b.last ? LZMA_FINISH : LZMA_RUN);
    b.in = z_.next_in;
    b.in_left = z_.avail_in;
    b.out = z_.next_out;
    b.out_left = z_.avail_out;
    if (result == LZMA_STREAM_END)
      ended_ = true;
    else if (result == LZMA_MEMLIMIT_ERROR)
      return "xz: decoding needs more than 512 MiB";
    else if (result != LZMA_OK && result != LZMA_BUF_ERROR)
      return "xz: the data are damaged";
    return nullptr;
  }
  bool complete() const override { return ended_; }

 private:
  lzma_stream z_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool ended_ = false;
};
#else
class XzDecoder final : public Decoder {
 public:
  const char* step(DecoderBuffers&) override { return "xz: this program was built without liblzma"; }
  bool complete() const override { return false; }
};
#endif

bool begins_with(Octets data, std::initializer_list<std::uint8_t> magic) {
  return data.size() >= magic.size() && std::equal(magic.begin(), magic.end(), data.begin());
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(Octets magic) {
  // "BZh9" alone is a time of April 2005 in a plain MRT file: the block's magic must follow it.
  const bool bzip2 = begins_with(magic, {'B', 'Z', 'h'}) && magic.size() >= kMagicSize &&
                     (begins_with(magic.subspan(4), {0x31, 0x41, 0x59, 0x26, 0x53, 0x59}) ||
                      begins_with(magic.subspan(4), {0x17, 0x72, 0x45, 0x38, 0x50, 0x90}));
  if (bzip2) return std::make_unique<Bzip2Decoder>();
  if (begins_with(magic, {0x1f, 0x8b, 8})) return std::make_unique<GzipDecoder>();
  if (begins_with(magic, {0x28, 0xb5, 0x2f, 0xfd})) return std::make_unique<ZstdDecoder>();
  if (begins_with(magic, {0xfd, '7', 'z', 'X', 'Z', 0})) return std::make_unique<XzDecoder>();
  return nullptr;
}

}  // namespace lapwing::collector
