#include "rib/store_logger.h"

#include <cstdarg>
#include <cstdio>

namespace lapwing::rib {

void StoreLogger::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level >= rocksdb::WARN_LEVEL && level != rocksdb::HEADER_LEVEL) Logv(format, arguments);
}

void StoreLogger::Logv(const char* format, va_list arguments) {
  if (!fn_) return;
  char text[512];
  const int size = std::vsnprintf(text, sizeof text, format, arguments);
  if (size < 0) return;
  fn_({text, std::min(static_cast<std::size_t>(size), sizeof text - 1)});
}

}  // namespace lapwing::rib
