#include "rib/store_history_log.h"

#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <utility>

#include "rib/store_codec.h"
#include "rib/store_database.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

// Block: magic (4) | CRC-32C of what follows (4) | octets after this field (4) | rows (4) |
// octets of the rows unpacked (4) | base row (8) | last row (8) | base time (8) | last time (8) |
// first NLRI, last NLRI (length octet and octets each) | rows, packed by Zstandard.
constexpr std::uint32_t kMagic = 0x4c574831;  // "LWH1"
constexpr std::size_t kPrologue = 12;         // magic, checksum, size
constexpr std::size_t kFixed = 4 + 4 + 4 * 8;
constexpr std::size_t kMaxHeader = kPrologue + kFixed + 2 * (1 + kMaxNlriKey);
constexpr std::uint32_t kMaxBlock = 512u << 20;  // a row holds at most one message
constexpr int kLevel = 1;
constexpr std::string_view kSuffix = ".rows";

// Row: NLRI (length octet and octets) | flags (bit 0: there was a route, bit 1: a path identifier
// follows) | row less base row, time less base time, peer (varints) | path identifier varint |
// length varint and octets of the attributes before.
bool read_row(OctetReader& in, std::uint64_t base_row, std::uint64_t base_micros, LoggedRow& out) {
  std::uint8_t size = 0, flags = 0;
  std::uint64_t row = 0, micros = 0;
  std::uint32_t path_id = 0;
  std::string_view nlri, before;
  if (!in.octet(size) || !in.octets(size, nlri) || !in.octet(flags) || !in.varint(row) ||
      !in.varint(micros) || !in.varint32(out.peer))
    return false;
  if ((flags & 2) != 0 && !in.varint32(path_id)) return false;
  if ((flags & 1) != 0 && !in.text(before)) return false;
  if (!read_nlri(nlri, out.nlri)) return false;
  out.row = base_row + row;
  out.micros = base_micros + micros;
  out.nlri.has_path_id = (flags & 2) != 0 ? 1 : 0;
  out.nlri.path_id = path_id;
  out.had_route = (flags & 1) != 0;
  out.before = as_octets(before);
  return true;
}

std::string nlri_text(const bgp::NlriKey& nlri) {
  char buffer[kMaxNlriKey];
  return {buffer, static_cast<std::size_t>(write_nlri(buffer, nlri, false) - buffer)};
}

// Leaves the first `size` octets, durably.
rocksdb::Status cut_file(rocksdb::Env& env, const std::string& path, std::uint64_t size) {
  std::error_code failed;
  std::filesystem::resize_file(path, size, failed);
  if (failed) return rocksdb::Status::IOError(path, failed.message());
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env.ReopenWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  return status;
}

std::optional<std::uint64_t> first_row_of(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t row = 0;
  const char* const end = name.data() + name.size() - kSuffix.size();
  const auto parsed = std::from_chars(name.data(), end, row, 16);
  return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional(row) : std::nullopt;
}

std::string file_name(std::uint64_t first_row) {
  char name[16 + 1];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(first_row));
  return std::string(name) + std::string(kSuffix);
}

}  // namespace

struct HistoryLog::File {
  std::uint64_t first_row = 0;
  std::uint64_t end = 0;  // rows from here on are not its own, or not committed
  std::string path;
  bool is_last = false;
};

rocksdb::Status HistoryLog::list(rocksdb::Env& env, const std::filesystem::path& directory,
                                 std::uint64_t next_row, std::vector<File>& out) {
  std::vector<std::string> names;
  const rocksdb::Status status = env.GetChildren(directory.string(), &names);
  // A store that was written before there was this history.
  if (status.IsNotFound() || status.IsPathNotFound()) return rocksdb::Status::OK();
  for (const std::string& name : names)
    if (const auto first_row = first_row_of(name))
      out.push_back({*first_row, next_row, (directory / name).string(), false});
  std::sort(out.begin(), out.end(),
            [](const File& a, const File& b) { return a.first_row < b.first_row; });
  // A group that failed was written again to the segment after it, with the same rows.
  for (std::size_t i = 0; i + 1 < out.size(); ++i)
    out[i].end = std::min(next_row, out[i + 1].first_row);
  if (!out.empty()) out.back().is_last = true;
  return status;
}

rocksdb::Status sync_directory(rocksdb::Env& env, const std::filesystem::path& path) {
  std::unique_ptr<rocksdb::Directory> directory;
  const rocksdb::Status status = env.NewDirectory(path.string(), &directory);
  return status.ok() ? directory->Fsync() : status;
}

struct HistoryBlocks::Packer {
  Packer() : context(ZSTD_createCCtx()) {}
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer() { ZSTD_freeCCtx(context); }
  ZSTD_CCtx* context;
};

HistoryBlocks::HistoryBlocks(std::uint64_t base_row, std::uint64_t base_micros)
    : packer_(std::make_unique<Packer>()),
      base_row_(base_row),
      base_micros_(base_micros),
      last_row_(base_row),
      last_micros_(base_micros) {}

HistoryBlocks::~HistoryBlocks() = default;

void HistoryBlocks::add(const LoggedRow& row) {
  char head[1 + kMaxNlriKey + 1 + 4 * 10];
  char* end = write_nlri(head + 1, row.nlri, false);
  const auto size = static_cast<std::size_t>(end - head - 1);
  head[0] = static_cast<char>(size);
  if (count_ == 0) first_.assign(head + 1, size);
  last_.assign(head + 1, size);
  last_row_ = std::max(last_row_, row.row);
  last_micros_ = std::max(last_micros_, row.micros);
  const bool has_id = row.nlri.has_path_id != 0;
  *end++ = static_cast<char>((row.had_route ? 1 : 0) | (has_id ? 2 : 0));
  end = write_varint64(end, row.row - base_row_);
  end = write_varint64(end, row.micros - base_micros_);
  end = write_varint64(end, row.peer);
  if (has_id) end = write_varint64(end, row.nlri.path_id);
  rows_.append(head, static_cast<std::size_t>(end - head));
  if (row.had_route) {
    append_varint(rows_, row.before.size());
    rows_.append(as_text(row.before));
  }
  if (++count_ == kBlockRows) end_block();
}

void HistoryBlocks::end_block() {
  const std::size_t begin = out_.size();
  char fixed[kPrologue + kFixed];
  char* end = write_be32(fixed, kMagic);
  end += 8;  // checksum and size, below
  end = write_be32(end, count_);
  end = write_be32(end, static_cast<std::uint32_t>(rows_.size()));
  for (const std::uint64_t n : {base_row_, last_row_, base_micros_, last_micros_})
    end = write_be64(end, n);
  out_.append(fixed, sizeof fixed);
  for (const std::string* nlri : {&first_, &last_}) {
    out_ += static_cast<char>(nlri->size());
    out_ += *nlri;
  }
  const std::size_t at = out_.size();
  out_.resize(at + ZSTD_compressBound(rows_.size()));
  const std::size_t packed = ZSTD_compressCCtx(packer_->context, out_.data() + at, out_.size() - at,
                                               rows_.data(), rows_.size(), kLevel);
  out_.resize(at + (ZSTD_isError(packed) != 0 ? 0 : packed));
  const std::string_view body = std::string_view(out_).substr(begin + kPrologue);
  const std::uint32_t sum = crc32c(body);
  write_be32(write_be32(out_.data() + begin + 4, sum), static_cast<std::uint32_t>(body.size()));
  rows_.clear();
  count_ = 0;
  last_row_ = base_row_;
  last_micros_ = base_micros_;
}

std::string HistoryBlocks::finish() {
  if (count_ != 0) end_block();
  return std::move(out_);
}

struct HistoryLog::Block {
  std::uint64_t offset = 0;
  std::uint32_t size = 0;    // of the whole block
  std::uint32_t header = 0;  // octets before the packed rows
  std::uint32_t unpacked = 0;
  std::uint64_t base_row = 0, last_row = 0;
  std::uint64_t base_micros = 0, last_micros = 0;
  std::string first, last;  // NLRI, not empty

  bool may_hold(const bgp::NlriKey& prefix) const;
  /// `octets` begins with the block and holds its header at least.
  bool read_header(std::string_view octets, std::uint64_t at) {
    OctetReader in(octets);
    std::string_view fixed, nlri;
    std::uint8_t length = 0;
    if (!in.octets(kPrologue + kFixed, fixed)) return false;
    const auto be32 = [&](std::size_t n) { return read_u32(as_octets(fixed).data() + n); };
    if (be32(0) != kMagic || be32(8) > kMaxBlock || be32(16) > kMaxBlock) return false;
    offset = at;
    size = static_cast<std::uint32_t>(kPrologue) + be32(8);
    unpacked = be32(16);
    base_row = read_be64(fixed.data() + 20);
    last_row = read_be64(fixed.data() + 28);
    base_micros = read_be64(fixed.data() + 36);
    last_micros = read_be64(fixed.data() + 44);
    for (std::string* const text : {&first, &last}) {
      if (!in.octet(length) || length == 0 || !in.octets(length, nlri)) return false;
      text->assign(nlri);
    }
    header = static_cast<std::uint32_t>(octets.size() - in.rest().size());
    return header <= size;
  }
};

struct HistoryLog::Segment {
  std::uint64_t first_row = 0;
  std::string path;
  std::uint64_t bytes = 0;        // guarded by mutex_
  std::vector<Block> blocks;      // guarded by mutex_
  std::uint64_t last_micros = 0;  // guarded by mutex_
  std::unique_ptr<rocksdb::RandomAccessFile> file;
};

HistoryLog::HistoryLog(rocksdb::Env& env, std::filesystem::path directory)
    : env_(env), directory_(std::move(directory)) {}

HistoryLog::~HistoryLog() {
  if (file_) file_->Close().PermitUncheckedError();
}

rocksdb::Status HistoryLog::open(rocksdb::Env& env, const std::filesystem::path& directory,
                                 std::uint64_t next_row,
                                 const std::function<void(std::string_view)>& warn,
                                 std::unique_ptr<HistoryLog>& out) {
  rocksdb::Status status = env.CreateDirIfMissing(directory.string());
  std::unique_ptr<HistoryLog> log(new HistoryLog(env, directory));
  bool cut = false;
  if (status.ok()) status = log->load_all(next_row, warn, &cut);
  // Rows with these numbers will be committed soon: what was cut off must not come back then.
  if (status.ok() && cut) status = sync_directory(env, directory);
  if (status.ok()) out = std::move(log);
  return status;
}

rocksdb::Status HistoryLog::open_to_read(rocksdb::Env& env, const std::filesystem::path& directory,
                                         std::uint64_t next_row,
                                         const std::function<void(std::string_view)>& warn,
                                         std::unique_ptr<HistoryLog>& out) {
  std::unique_ptr<HistoryLog> log(new HistoryLog(env, directory));
  const rocksdb::Status status = log->load_all(next_row, warn, nullptr);
  if (status.ok()) out = std::move(log);
  return status;
}

rocksdb::Status HistoryLog::load_all(std::uint64_t next_row,
                                     const std::function<void(std::string_view)>& warn, bool* cut) {
  std::vector<File> files;
  rocksdb::Status status = list(env_, directory_, next_row, files);
  for (std::size_t i = 0; status.ok() && i < files.size(); ++i) {
    status = load(files[i], warn, cut);
    if (cut == nullptr && env_.FileExists(files[i].path).IsNotFound()) {
      warn(files[i].path + " has gone since: a running Lapwing lets old history go");
      status = rocksdb::Status::OK();
    }
  }
  return status;
}

rocksdb::Status HistoryLog::load(const File& listed,
                                 const std::function<void(std::string_view)>& warn, bool* cut) {
  auto segment = std::make_shared<Segment>();
  segment->first_row = listed.first_row;
  segment->path = listed.path;
  std::uint64_t size = 0;
  rocksdb::Status status = env_.GetFileSize(segment->path, &size);
  if (status.ok())
    status = env_.NewRandomAccessFile(segment->path, &segment->file, rocksdb::EnvOptions());
  char scratch[kMaxHeader];
  while (status.ok() && segment->bytes < size) {
    rocksdb::Slice octets;
    status = segment->file->Read(segment->bytes, sizeof scratch, &octets, scratch);
    if (!status.ok()) break;
    Block block;
    if (!block.read_header(view(octets), segment->bytes) || block.size > size - segment->bytes) {
      warn(segment->path + " is damaged at octet " + std::to_string(segment->bytes) + " of " +
           std::to_string(size) + "; the history that stands behind that is lost");
      break;
    }
    if (block.base_row >= listed.end) break;
    segment->bytes += block.size;
    segment->last_micros = std::max(segment->last_micros, block.last_micros);
    segment->blocks.push_back(std::move(block));
  }
  if (!status.ok()) return status;
  if (cut != nullptr) {
    *cut |= segment->bytes < size || segment->blocks.empty();
    if (segment->blocks.empty()) return env_.DeleteFile(segment->path);
    if (segment->bytes < size) status = cut_file(env_, segment->path, segment->bytes);
    if (!status.ok()) return status;
  }
  segments_.emplace(segment->first_row, std::move(segment));
  return rocksdb::Status::OK();
}

rocksdb::Status HistoryLog::begin_segment(std::uint64_t first_row) {
  if (file_) {
    const rocksdb::Status closed = file_->Close();
    file_.reset();
    if (!closed.ok()) return closed;
  }
  auto segment = std::make_shared<Segment>();
  segment->first_row = first_row;
  segment->path = (directory_ / file_name(first_row)).string();
  rocksdb::EnvOptions options;
  options.bytes_per_sync = 1u << 20;
  rocksdb::Status status = env_.NewWritableFile(segment->path, &file_, options);
  if (status.ok())
    status = env_.NewRandomAccessFile(segment->path, &segment->file, rocksdb::EnvOptions());
  if (status.ok()) status = sync_directory(env_, directory_);
  if (!status.ok()) {
    file_.reset();
    return status;
  }
  open_ = segment;
  const std::lock_guard lock(mutex_);
  segments_[first_row] = std::move(segment);
  return status;
}

rocksdb::Status HistoryLog::append(std::uint64_t first_row, const std::string& blocks) {
  rocksdb::Status status;
  if (!file_ || open_->bytes >= kSegmentBytes) status = begin_segment(first_row);
  if (!status.ok()) return status;
  begin_of_append_ = open_->bytes;
  status = file_->Append(slice(blocks));
  if (status.ok()) status = file_->Sync();
  if (!status.ok()) {
    undo_append();
    return status;
  }
  std::vector<Block> added;
  for (std::size_t at = 0; at < blocks.size(); at += added.back().size)
    if (!added.emplace_back().read_header(std::string_view(blocks).substr(at),
                                          begin_of_append_ + at))
      return rocksdb::Status::Corruption("history block");
  const std::lock_guard lock(mutex_);
  for (const Block& block : added)
    open_->last_micros = std::max(open_->last_micros, block.last_micros);
  open_->bytes += blocks.size();
  std::move(added.begin(), added.end(), std::back_inserter(open_->blocks));
  return status;
}

void HistoryLog::undo_append() {
  if (!open_) return;
  file_->Close().PermitUncheckedError();
  file_.reset();
  // The next append begins a segment; what is cut off here, or left if that fails, does not count.
  std::error_code failed;
  std::filesystem::resize_file(open_->path, begin_of_append_, failed);
  const std::lock_guard lock(mutex_);
  std::erase_if(open_->blocks, [&](const Block& b) { return b.offset >= begin_of_append_; });
  open_->bytes = begin_of_append_;
  if (open_->blocks.empty()) {
    segments_.erase(open_->first_row);
    env_.DeleteFile(open_->path).PermitUncheckedError();
  }
  open_.reset();
}

void HistoryLog::remove_first() {
  env_.DeleteFile(segments_.begin()->second->path).PermitUncheckedError();
  segments_.erase(segments_.begin());
}

void HistoryLog::drop_before(std::uint64_t micros) {
  const std::lock_guard lock(mutex_);
  while (!segments_.empty() && segments_.begin()->second != open_ &&
         segments_.begin()->second->last_micros < micros)
    remove_first();
}

std::uint64_t HistoryLog::drop_beyond(std::uint64_t limit) {
  const std::lock_guard lock(mutex_);
  std::uint64_t total = 0, dropped = 0;
  for (const auto& [row, segment] : segments_) total += segment->bytes;
  while (total > limit && !segments_.empty() && segments_.begin()->second != open_) {
    total -= segments_.begin()->second->bytes;
    dropped = segments_.begin()->second->last_micros;
    remove_first();
  }
  return dropped;
}

std::uint64_t HistoryLog::bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& [row, segment] : segments_) total += segment->bytes;
  return total;
}

bool HistoryLog::Block::may_hold(const bgp::NlriKey& prefix) const {
  bgp::NlriKey unicast = prefix;
  unicast.safi = kSafiUnicast;
  const std::string wanted = nlri_text(unicast);
  if (first <= wanted && wanted <= last) return true;
  // Other families are few: all blocks that hold some of this address family are looked through.
  const char afi = static_cast<char>(prefix.afi);
  const std::string above{afi, static_cast<char>(kSafiUnicast + 1)};
  return last >= above && first[0] <= afi;
}

rocksdb::Status HistoryLog::read_block(const Segment& segment, const Block& block,
                                       std::string& rows) {
  std::string scratch(block.size, '\0');
  rocksdb::Slice octets;
  const rocksdb::Status read =
      segment.file->Read(block.offset, block.size, &octets, scratch.data());
  if (!read.ok()) return read;
  rows.resize(block.unpacked);
  const bool whole =
      octets.size() == block.size &&
      crc32c(view(octets).substr(kPrologue)) == read_u32(as_octets(view(octets)).data() + 4);
  const std::size_t unpacked =
      whole ? ZSTD_decompress(rows.data(), rows.size(), octets.data() + block.header,
                              block.size - block.header)
            : 0;
  if (whole && unpacked == block.unpacked) return read;
  return rocksdb::Status::Corruption(segment.path,
                                     "block at octet " + std::to_string(block.offset));
}

rocksdb::Status HistoryLog::check_segment(rocksdb::Env& env, const File& listed, Findings& out) {
  const std::string& path = listed.path;
  Segment segment;
  segment.path = path;
  std::string octets;
  rocksdb::Status status = rocksdb::ReadFileToString(&env, path, &octets);
  if (status.ok()) status = env.NewRandomAccessFile(path, &segment.file, rocksdb::EnvOptions());
  if (!status.ok()) return status;
  std::string rows;
  Block block;
  for (std::size_t at = 0; at < octets.size(); at += block.size) {
    const std::string_view left = std::string_view(octets).substr(at);
    const std::string where = path + ", block at octet " + std::to_string(at);
    if (!block.read_header(left, at) || block.size > left.size()) {
      // Cut short while it was written: nothing else can stand behind it.
      const bool torn = listed.is_last && left.size() < kMaxHeader + kMaxBlock &&
                        std::string_view("LWH1").starts_with(left.substr(0, 4)) &&
                        left.find("LWH1", 1) == left.npos;
      (torn ? out.notes : out.faults)
          .push_back(where + (torn ? ": was not written to its end" : ": its header is damaged"));
      return status;
    }
    if (block.base_row >= listed.end) {
      out.notes.push_back(where + ": was not committed");
      return status;
    }
    if (const rocksdb::Status read = read_block(segment, block, rows); !read.ok()) {
      out.faults.push_back(where + ": its checksum is wrong");
      continue;
    }
    OctetReader in(rows);
    LoggedRow row;
    while (!in.empty()) {
      if (!read_row(in, block.base_row, block.base_micros, row)) {
        out.faults.push_back(where + ": a row is damaged");
        break;
      }
      ++out.rows;
    }
  }
  return status;
}

rocksdb::Status HistoryLog::check(rocksdb::Env& env, const std::filesystem::path& directory,
                                  std::uint64_t next_row, Findings& out) {
  std::vector<File> files;
  rocksdb::Status status = list(env, directory, next_row, files);
  for (std::size_t i = 0; status.ok() && i < files.size(); ++i) {
    status = check_segment(env, files[i], out);
    // A Lapwing that runs lets old files go.
    if (!status.ok() && env.FileExists(files[i].path).IsNotFound()) status = rocksdb::Status::OK();
  }
  return status;
}

rocksdb::Status HistoryLog::read(const bgp::NlriKey* prefix, std::uint64_t from,
                                 std::uint64_t next_row, const RowFn& fn) const {
  std::vector<std::pair<std::shared_ptr<Segment>, Block>> blocks;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [row, segment] : segments_)
      for (const Block& block : segment->blocks)
        if (block.last_micros >= from && block.base_row < next_row &&
            (prefix == nullptr || block.may_hold(*prefix)))
          blocks.emplace_back(segment, block);
  }
  const auto is_wanted = [&](const LoggedRow& row) {
    if (row.micros < from || row.row >= next_row) return false;
    return prefix == nullptr ||
           (row.nlri.afi == prefix->afi && row.nlri.high == prefix->high &&
            row.nlri.low == prefix->low && row.nlri.length == prefix->length);
  };
  rocksdb::Status status;
  std::string rows;
  for (const auto& [segment, block] : blocks) {
    const rocksdb::Status read = read_block(*segment, block, rows);
    if (!read.ok()) {
      status = read;
      continue;
    }
    OctetReader in(rows);
    LoggedRow row;
    while (!in.empty() && read_row(in, block.base_row, block.base_micros, row))
      if (is_wanted(row)) fn(row);
  }
  return status;
}

}  // namespace lapwing::rib
