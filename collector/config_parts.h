// The parts of the configuration's reader, one function for each table of the file.
//
// Each notes what is wrong and fills in what is good; the caller drops the result after an error.
// Thread: main.
#pragma once

#include <string>

#include "collector/config_reader.h"

namespace lapwing::collector {

void read_speaker(const Node& table, Notes& notes, Config& config);
void read_storage(const Node& table, Notes& notes, Config& config);
void read_watch(const Node& table, Notes& notes, Config& config);
void read_http(const Node& table, Notes& notes, Config& config);
void read_record(const Node& table, Notes& notes, Config& config);
void read_log(const Node& table, Notes& notes, Config& config);

/// After [speaker]: its local-as is the default of a neighbour's.
void read_neighbors(const Node& value, Notes& notes, Config& config);

void read_detectors(const Node& value, Notes& notes, const LoadOptions& options, Config& config);
void read_suppressions(const Node& value, Notes& notes, Config& config);
void read_sinks(const Node& value, Notes& notes, const LoadOptions& options, Config& config);

/// Reads the secret `key`, or the first line of the file that "KEY-file" names; true when there is
/// one. No text of it reaches a diagnostic.
bool read_secret(TableReader& reader, const std::string& key, std::size_t max_size,
                 std::string& out);

}  // namespace lapwing::collector
