#ifndef BERTH_CLIENT_JOB_FILE_H_
#define BERTH_CLIENT_JOB_FILE_H_

// A job script and the options in its #BERTH lines.

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "client/option.h"

namespace berth {

inline constexpr size_t kScriptBytesMax = 1 << 20;
// Of what is read at all, and of a specification: what a request to the scheduler may have.
inline constexpr size_t kJobTextBytesMax = 4 << 20;

struct JobFile {
  std::string path;
  std::string script;              // the whole file, as it is
  std::vector<Word> directives;    // the words of all #BERTH lines, in order
  std::vector<std::string> notes;  // what the author should know, e.g. of ignored lines
};

// Splits one line into words by the shell's rules: quotes, backslashes, and a comment from a "#"
// that begins a word. Nothing is expanded. `origin` is the line's; its column is where `text`
// begins.
absl::StatusOr<std::vector<Word>> SplitShellWords(absl::string_view text, const Origin& origin);

// Directives stand before the first command, within the first 32 KiB.
absl::StatusOr<JobFile> ParseJobFile(std::string text, absl::string_view path);

// All of a file, or of standard input for "-"; of more than kJobTextBytesMax a part that is longer.
absl::StatusOr<std::string> ReadJobText(const std::string& path);

}  // namespace berth

#endif  // BERTH_CLIENT_JOB_FILE_H_
