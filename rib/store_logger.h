// RocksDB's log, kept off the data disk: warnings and errors go to a callback, the rest is dropped.
//
// RocksDB's own text log lies beside the data, and a failed write to it can end the process.
// Thread: any.
#pragma once

#include <rocksdb/env.h>

#include <functional>
#include <string_view>

namespace lapwing::rib {

class StoreLogger : public rocksdb::Logger {
 public:
  using Fn = std::function<void(std::string_view)>;
  explicit StoreLogger(Fn fn) : Logger(rocksdb::WARN_LEVEL), fn_(std::move(fn)) {}

  using Logger::Logv;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
  void Logv(const char* format, va_list arguments) override;

 private:
  const Fn fn_;
};

}  // namespace lapwing::rib
