#ifndef BERTH_SCHEDULER_SERVER_H_
#define BERTH_SCHEDULER_SERVER_H_

// The scheduler as one object: owns and wires store, control loop and services. The daemon runs
// one; tests and benchmarks run many.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "common/clock.h"
#include "common/config_file.h"
#include "common/log.h"
#include "scheduler/control_loop.h"
#include "scheduler/upload_store.h"

namespace berth {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // HOST:PORT for users and agents; port 0: any free one
  std::string port_file;               // the bound HOST:PORT is written here once serving
  std::string data_dir = "/var/lib/berth";
  std::string cluster_name = "center";  // typed by who restores over a database
  std::string admin_socket;             // empty: DATA_DIR/admin.sock
  LogLevel log_level = LogLevel::kInfo;
  std::string tls_certificate;  // PEM files; both empty: no encryption, loopback only
  std::string tls_key;
  Policy policy;
  ControlLoopOptions loop;
  UploadOptions uploads;
  bool back_up_uploads = true;
};

// Where the uploaded folders are.
std::string UploadsFolder(const ServerOptions& options);

// Reads every key that berthd knows; unknown keys and values that cannot work are refused.
absl::StatusOr<ServerOptions> ReadServerOptions(ConfigFile& file);
// What ReadServerOptions checks beyond the form of single values.
absl::Status CheckServerOptions(const ServerOptions& options);

// Start and Stop from one thread. Requires: the clock outlives it.
class Server {
 public:
  // Serves when it returns OK.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const Clock& clock);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  static const char* Version();

  // Finishes what is in the loop, ends every call, closes the store. Takes seconds at most.
  void Stop();

  const std::string& address() const;  // HOST:PORT as bound
  const std::string& admin_socket() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_SERVER_H_
