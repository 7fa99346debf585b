#ifndef BERTH_CLIENT_SPEC_FILE_H_
#define BERTH_CLIENT_SPEC_FILE_H_

// A job's specification as a file, which `berth show JOB --spec` prints and `berth submit` takes:
// one JSON object with the options of `submit` by their names, and what no option says: the
// command, the script, the folder that was uploaded, and how long an interactive job may be idle.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/option.h"
#include "proto/job.pb.h"

namespace berth {

struct SpecFile {
  Arguments arguments;  // its options
  v1::JobSpec spec;     // what no option says, and nothing else
};

// Whether it is one, and no script: by its name, or because it begins like one.
bool IsSpecFile(absl::string_view text, absl::string_view path);

// An unknown key, a key that stands there twice and a value of the wrong kind are errors. The
// values of options are read like those of the command line.
absl::StatusOr<SpecFile> ParseSpecFile(const std::string& text, absl::string_view path);

// Submits the same again. A time to begin at is left out once it is over.
std::string FormatSpecFile(const v1::JobSpec& spec, absl::Time now);

}  // namespace berth

#endif  // BERTH_CLIENT_SPEC_FILE_H_
