// The words of the command line, for its parser, its abbreviations and its completion.
//
// Thread: any.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lapwing::collector {

/// A word as it is written, and the one that it means.
struct Word {
  std::string_view text;
  std::string_view meaning;
};

std::span<const Word> command_words();   // run, check, show …
std::span<const Word> show_words();      // what stands after `show`
std::span<const Word> monitor_words();
std::span<const Word> db_words();        // what stands after `db`
std::span<const Word> peer_words();      // what stands after `peer NAME`
std::span<const Word> route_words();     // what stands after `show route`

/// The meaning of `word`, where it is one, or where it abbreviates words of one meaning only; `word`
/// itself where it is neither.
std::string full_word(std::span<const Word> words, const std::string& word);

/// All arguments with their words written in full.
std::vector<std::string> complete_words(std::vector<std::string> arguments);

/// What the last of `arguments`, which may be empty, can become; for completion by a shell.
/// `names`: of neighbours, asked for where one may stand.
template <typename Names>
std::vector<std::string> candidates(const std::vector<std::string>& arguments, Names&& names);

/// Where in a command line the word after `arguments` stands.
enum class Place : std::uint8_t { kCommand, kShow, kMonitor, kDb, kPeerAction, kRoute, kName, kOther };
Place place_after(const std::vector<std::string>& arguments);
std::span<const Word> words_of(Place place);

template <typename Names>
std::vector<std::string> candidates(const std::vector<std::string>& arguments, Names&& names) {
  if (arguments.empty()) return {};
  const std::string& begun = arguments.back();
  const Place place = place_after({arguments.begin(), arguments.end() - 1});
  std::vector<std::string> out;
  const auto offer = [&](std::string_view word) {
    if (word.starts_with(begun)) out.emplace_back(word);
  };
  for (const Word& word : words_of(place)) offer(word.text);
  if (place == Place::kName)
    for (const std::string& name : names()) offer(name);
  return out;
}

}  // namespace lapwing::collector
