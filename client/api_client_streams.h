#ifndef BERTH_CLIENT_API_CLIENT_STREAMS_H_
#define BERTH_CLIENT_API_CLIENT_STREAMS_H_

// How ApiClient opens the calls of api_streams.h. The stub must outlive them; `server` is for
// messages.

#include <memory>
#include <string>

#include "client/api_streams.h"
#include "proto/client_api.grpc.pb.h"

namespace berth {

std::unique_ptr<JobChannel> OpenJobChannel(v1::Client::Stub& stub, std::string server,
                                           const std::string& authorization);
std::unique_ptr<WorkdirChannel> OpenWorkdirChannel(v1::Client::Stub& stub, std::string server,
                                                   const std::string& authorization);
std::unique_ptr<LogStreams> OpenLogStreams(v1::Client::Stub& stub, std::string server,
                                           std::string authorization);

}  // namespace berth

#endif  // BERTH_CLIENT_API_CLIENT_STREAMS_H_
