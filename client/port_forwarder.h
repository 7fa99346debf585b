#ifndef BERTH_CLIENT_PORT_FORWARDER_H_
#define BERTH_CLIENT_PORT_FORWARDER_H_

// A port of this machine behind which a port of a job is: each connection gets a way into the job
// of its own.

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/api_client.h"

namespace berth {

// Requires: the ApiClient outlives it.
class PortForwarder {
 public:
  // Called on any thread when a connection could not be carried.
  using Complain = std::function<void(const absl::Status&)>;

  // Listens on 127.0.0.1. Port 0: any free one. `request` names the job's port.
  static absl::StatusOr<std::unique_ptr<PortForwarder>> Listen(ApiClient& api, int local_port,
                                                               v1::EnterJobRequest request,
                                                               Complain complain);
  ~PortForwarder();
  PortForwarder(const PortForwarder&) = delete;
  PortForwarder& operator=(const PortForwarder&) = delete;

  int local_port() const { return local_port_; }
  // Carries connections until Stop.
  void Run();
  // From any thread.
  void Stop();

 private:
  struct Connection {
    int socket = -1;
    std::unique_ptr<JobChannel> channel;
    std::atomic<bool> done = false;
    std::thread thread;
  };
  PortForwarder(ApiClient& api, v1::EnterJobRequest request, Complain complain)
      : api_(api), request_(std::move(request)), complain_(std::move(complain)) {}
  void Accept();
  void Carry(Connection& connection);
  void DropEnded();

  ApiClient& api_;
  const v1::EnterJobRequest request_;
  const Complain complain_;
  int listener_ = -1;
  int stop_ = -1;  // eventfd
  int local_port_ = 0;
  std::list<Connection> connections_;  // of the thread in Run
};

}  // namespace berth

#endif  // BERTH_CLIENT_PORT_FORWARDER_H_
