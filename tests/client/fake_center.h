#ifndef BERTH_TESTS_CLIENT_FAKE_CENTER_H_
#define BERTH_TESTS_CLIENT_FAKE_CENTER_H_

// The part of the scheduler in the tests that is about the center: nodes, tenants, quotas, bookings
// and tokens.

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "proto/client_api.grpc.pb.h"

namespace berth {

// Answers from its fields; every request is kept. Guarded by one mutex.
class FakeCenter : public v1::Client::Service {
 public:
  grpc::Status GetQuota(grpc::ServerContext*, const v1::GetQuotaRequest*,
                        v1::GetQuotaResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    for (const v1::QuotaRow& row : quota) {
      *response->add_rows() = row;
    }
    response->mutable_edits()->Assign(edits.begin(), edits.end());
    return grpc::Status::OK;
  }

  grpc::Status SetQuota(grpc::ServerContext*, const v1::SetQuotaRequest* request,
                        v1::SetQuotaResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    quota_changes.push_back(*request);
    *response->mutable_after()->mutable_limits() = request->limits();
    return grpc::Status::OK;
  }

  grpc::Status SetTenantQueue(grpc::ServerContext*, const v1::SetTenantQueueRequest* request,
                              v1::SetTenantQueueResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    queues.push_back(*request);
    response->mutable_tenant()->set_name(request->tenant());
    response->mutable_tenant()->set_queue(request->queue());
    response->mutable_tenant()->set_stepped_timeout_ms(request->stepped_timeout_ms());
    return grpc::Status::OK;
  }

  grpc::Status SuspendTenant(grpc::ServerContext*, const v1::SuspendTenantRequest* request,
                             v1::SuspendTenantResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    response->mutable_tenant()->set_name(request->tenant());
    response->mutable_tenant()->set_suspended(request->suspended());
    response->add_effects("running jobs that go on: 2");
    return grpc::Status::OK;
  }

  grpc::Status AddBooking(grpc::ServerContext*, const v1::AddBookingRequest* request,
                          v1::AddBookingResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    booked.push_back(*request);
    response->add_effects("3 running jobs could overlap");
    if (!request->dry_run()) {
      v1::Booking& booking = *response->mutable_booking();
      booking.set_id(5);
      booking.set_kind(request->kind());
      *booking.mutable_nodes() = request->nodes();
      booking.set_from_us(request->from_us());
      booking.set_to_us(request->to_us());
    }
    return grpc::Status::OK;
  }

  grpc::Status ListBookings(grpc::ServerContext*, const v1::ListBookingsRequest*,
                            v1::ListBookingsResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    response->mutable_bookings()->Assign(bookings.begin(), bookings.end());
    return grpc::Status::OK;
  }

  grpc::Status EndBooking(grpc::ServerContext*, const v1::EndBookingRequest* request,
                          v1::EndBookingResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    ended.push_back(request->id());
    response->mutable_booking()->set_id(request->id());
    response->mutable_booking()->set_kind(v1::BOOKING_KIND_MAINTENANCE);
    response->mutable_booking()->set_ended(true);
    return grpc::Status::OK;
  }

  grpc::Status ListNodes(grpc::ServerContext*, const v1::ListNodesRequest* request,
                         v1::ListNodesResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    for (const v1::Node& node : nodes) {
      if (request->name().empty() || request->name() == node.name()) {
        *response->add_nodes() = node;
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status ListTenants(grpc::ServerContext*, const v1::ListTenantsRequest*,
                           v1::ListTenantsResponse* response) override {
    const std::lock_guard<std::mutex> lock(mu);
    for (const std::string& tenant : tenants) {
      response->add_tenants()->set_name(tenant);
    }
    return grpc::Status::OK;
  }

  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    response->mutable_token()->set_id("7Hq2kW9xPzLm");
    response->mutable_token()->set_user(request->user());
    response->set_secret("brth_secret");
    return grpc::Status::OK;
  }

  std::mutex mu;
  std::vector<v1::QuotaRow> quota;
  std::vector<v1::QuotaEdit> edits;
  std::vector<v1::SetQuotaRequest> quota_changes;
  std::vector<v1::Node> nodes;
  std::vector<std::string> tenants;
  std::vector<v1::SetTenantQueueRequest> queues;
  std::vector<v1::Booking> bookings;
  std::vector<v1::AddBookingRequest> booked;
  std::vector<uint64_t> ended;
};

}  // namespace berth

#endif  // BERTH_TESTS_CLIENT_FAKE_CENTER_H_
