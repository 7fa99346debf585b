#ifndef BERTH_COMMON_CONFIG_FILE_H_
#define BERTH_COMMON_CONFIG_FILE_H_

// A TOML file read key by key. Every error names file:line:column; a key that nobody asked for is
// an error with the nearest known name. toml++ stays behind config_file.cc.
//
//   ASSIGN_OR_RETURN(ConfigFile file, ConfigFile::Read(path));
//   options.listen = file.String("listen", options.listen);      // default when absent
//   options.lease = file.Duration("lease", "timeout", options.lease);
//   RETURN_IF_ERROR(file.Finish());                              // first error, or unknown keys

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "common/quantity.h"

namespace berth {

// Owned by whoever reads a configuration, during start-up; one thread.
class ConfigFile {
 public:
  // Not found, unreadable and syntax errors come back as InvalidArgument or NotFound with a detail.
  static absl::StatusOr<ConfigFile> Read(absl::string_view path);
  // `overrides` are "key=value" or "section.key=value"; the value is TOML or a bare string.
  static absl::StatusOr<ConfigFile> Parse(absl::string_view text, absl::string_view path);
  absl::Status Override(absl::string_view assignment);

  ConfigFile(ConfigFile&&) noexcept;
  ConfigFile& operator=(ConfigFile&&) noexcept;
  ~ConfigFile();

  // `section` "" is the top level. A value of the wrong type is remembered for Finish().
  std::string String(absl::string_view section, absl::string_view key, absl::string_view fallback);
  int64_t Integer(absl::string_view section, absl::string_view key, int64_t fallback);
  bool Boolean(absl::string_view section, absl::string_view key, bool fallback);
  absl::Duration Duration(absl::string_view section, absl::string_view key,
                          absl::Duration fallback);
  std::vector<std::string> Strings(absl::string_view section, absl::string_view key);
  // All string pairs of a section, e.g. [labels], in key order.
  std::vector<std::pair<std::string, std::string>> Pairs(absl::string_view section);
  // The tables of [[name]], each as a ConfigFile of its own that shares this one's errors. Bounded
  // use: read all its keys before asking for Finish().
  std::vector<ConfigFile> Tables(absl::string_view name);
  bool Has(absl::string_view section, absl::string_view key) const;
  // Adds an error at a key read before, e.g. for a value out of range.
  void Fail(absl::string_view section, absl::string_view key, absl::string_view message);

  // The first error, or unknown keys, or OK.
  absl::Status Finish();

 private:
  struct State;
  explicit ConfigFile(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace berth

#endif  // BERTH_COMMON_CONFIG_FILE_H_
