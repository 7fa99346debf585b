#ifndef BERTH_TESTS_CLIENT_SCRIPT_FILE_H_
#define BERTH_TESTS_CLIENT_SCRIPT_FILE_H_

// A job file of a test's own.

#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

namespace berth {

// Removed with it.
class ScriptFile {
 public:
  explicit ScriptFile(const std::string& text) {
    char path[] = "/tmp/berth-script-XXXXXX";
    close(mkstemp(path));
    path_ = path;
    std::ofstream(path_) << text;
  }
  ~ScriptFile() { unlink(path_.c_str()); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace berth

#endif  // BERTH_TESTS_CLIENT_SCRIPT_FILE_H_
