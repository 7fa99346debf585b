// Uploaded folders over real streams: what is sent, who gets what, and what leaves.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "common/credentials.h"
#include "common/error_detail.h"
#include "common/workdir_manifest.h"
#include "tests/testing/running_server.h"
#include "tests/testing/scripted_agent.h"

namespace berth {
namespace {

using Files = std::map<std::string, std::string>;

v1::WorkdirManifest ManifestOf(const Files& files) {
  v1::WorkdirManifest manifest;
  for (const auto& [path, content] : files) {
    v1::WorkdirEntry& entry = *manifest.add_entries();
    entry.set_kind(v1::WorkdirEntry::KIND_FILE);
    entry.set_path(path);
    entry.set_mode(0644);
    entry.set_size(static_cast<int64_t>(content.size()));
    entry.set_sha256(Sha256(content));
  }
  return manifest;
}

// One call of UploadWorkdir.
struct UploadCall {
  explicit UploadCall(TestClient client_in) : client(std::move(client_in)) {
    client.Prepare(context);
    stream = client.stub().UploadWorkdir(&context);
  }
  void Begin(int64_t manifest_bytes, const std::string& tenant = "") {
    v1::UploadWorkdirRequest request;
    request.mutable_begin()->set_manifest_bytes(manifest_bytes);
    request.mutable_begin()->set_on_behalf_of_tenant(tenant);
    stream->Write(request);
  }
  void Manifest(const std::string& piece) {
    v1::UploadWorkdirRequest request;
    request.set_manifest(piece);
    stream->Write(request);
  }
  void Content(const std::string& piece) {
    v1::UploadWorkdirRequest request;
    request.set_content(piece);
    stream->Write(request);
  }
  std::vector<uint32_t> Lacking() {
    v1::UploadWorkdirResponse response;
    EXPECT_TRUE(stream->Read(&response));
    return {response.lacking().entries().begin(), response.lacking().entries().end()};
  }
  // What nobody has read would keep the call from its end.
  absl::Status Finish() {
    v1::UploadWorkdirResponse unread;
    while (stream->Read(&unread)) {
    }
    return FromGrpcStatus(stream->Finish(), context);
  }

  TestClient client;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::UploadWorkdirRequest, v1::UploadWorkdirResponse>>
      stream;
};

class Uploads : public ::testing::Test {
 protected:
  Uploads() {
    server_.AddTenant("acme");
    server_.AddTenant("other");
    server_.SetQuota("acme", "sim", 16);
    acme_ = server_.AddUser("acme", "ada", v1::ROLE_MEMBER);
    other_ = server_.AddUser("other", "bob", v1::ROLE_MEMBER);
    node_1_ = server_.AddNodeToken("n1");
    node_2_ = server_.AddNodeToken("n2");
  }

  // Returns the upload's name; `sent_` is how many contents were asked for.
  std::string Upload(const std::string& token, const Files& files, const std::string& tenant = "") {
    UploadCall call(server_.Client(token));
    const v1::WorkdirManifest manifest = ManifestOf(files);
    const std::string text = manifest.SerializeAsString();
    call.Begin(static_cast<int64_t>(text.size()), tenant);
    if (!text.empty()) {
      call.Manifest(text);
    }
    const std::vector<uint32_t> lacking = call.Lacking();
    sent_ = lacking.size();
    for (const uint32_t index : lacking) {
      const std::string& content = files.at(manifest.entries(static_cast<int>(index)).path());
      for (size_t at = 0; at < content.size(); at += 3) {
        call.Content(content.substr(at, 3));
      }
    }
    v1::UploadWorkdirResponse response;
    EXPECT_TRUE(call.stream->Read(&response));
    EXPECT_TRUE(call.Finish().ok());
    EXPECT_EQ(response.workdir_sha256(), Sha256(text));
    return response.workdir_sha256();
  }

  absl::StatusOr<uint64_t> Submit(const std::string& token, const std::string& upload) {
    v1::SubmitJobRequest request = JobOf(1, 1);
    request.mutable_spec()->set_workdir_sha256(upload);
    return server_.Client(token).Submit(request);
  }

  // All that FetchWorkdir sends.
  absl::StatusOr<std::string> Fetch(const std::string& token, uint64_t allocation) {
    const auto stub = v1::Agent::NewStub(
        grpc::CreateChannel(server_.address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    server_.Client(token).Prepare(context);
    v1::FetchWorkdirRequest request;
    request.set_allocation_id(allocation);
    const auto reader = stub->FetchWorkdir(&context, request);
    std::string all;
    v1::FetchWorkdirResponse piece;
    while (reader->Read(&piece)) {
      all += piece.data();
    }
    const absl::Status status = FromGrpcStatus(reader->Finish(), context);
    return status.ok() ? absl::StatusOr<std::string>(all) : status;
  }

  int UploadedFiles() {
    int count = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(server_.options().data_dir + "/uploads")) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  RunningServer server_;
  std::string acme_;
  std::string other_;
  std::string node_1_;
  std::string node_2_;
  size_t sent_ = 0;
};

TEST_F(Uploads, OnlyWhatIsNewIsSent) {
  const std::string first = Upload(acme_, {
                                              {"a", "one"         },
                                              {"b", "a longer one"},
                                              {"c", ""            }
  });
  EXPECT_EQ(sent_, 3U);
  EXPECT_EQ(Upload(acme_,
                   {
                       {"a", "one"         },
                       {"b", "a longer one"},
                       {"c", ""            }
  }),
            first);
  EXPECT_EQ(sent_, 0U);
  server_.Restart();
  EXPECT_NE(Upload(acme_,
                   {
                       {"a", "one"    },
                       {"b", "changed"},
                       {"c", ""       }
  }),
            first);
  EXPECT_EQ(sent_, 1U);
  Upload(acme_, {});
  Upload(other_, {
                     {"a", "one"}
  });
  EXPECT_EQ(sent_, 1U);  // another tenant's is no answer for this one
}

TEST_F(Uploads, AnUploadThatBreaksOffIsGoneOnWith) {
  const v1::WorkdirManifest manifest = ManifestOf({
      {"a", "one"},
      {"b", "two"}
  });
  const std::string text = manifest.SerializeAsString();
  {
    UploadCall call(server_.Client(acme_));
    call.Begin(static_cast<int64_t>(text.size()));
    call.Manifest(text.substr(0, 10));
    call.Manifest(text.substr(10));
    ASSERT_EQ(call.Lacking().size(), 2U);
    call.Content("one");
    call.Content("t");
    call.stream->WritesDone();
    EXPECT_FALSE(call.Finish().ok());
  }
  Upload(acme_, {
                    {"a", "one"},
                    {"b", "two"}
  });
  EXPECT_EQ(sent_, 1U);
}

TEST_F(Uploads, WhatIsNotAsItSaysIsRefused) {
  const auto refusal = [this](const std::function<void(UploadCall&)>& send) {
    UploadCall call(server_.Client(acme_));
    send(call);
    return call.Finish();
  };
  const std::string text = ManifestOf({
                                          {"a", "one"}
  })
                               .SerializeAsString();
  const auto size = static_cast<int64_t>(text.size());
  v1::WorkdirManifest out = ManifestOf({
      {"a", ""}
  });
  out.mutable_entries(0)->set_path("../../a");
  const std::string leads_out = out.SerializeAsString();
  const std::vector<std::function<void(UploadCall&)>> wrong = {
      [&](UploadCall& call) { call.Manifest(text); },
      [&](UploadCall& call) { call.Begin(-1); },
      [&](UploadCall& call) { call.Begin(kManifestBytesMax + 1); },
      [&](UploadCall& call) { call.Begin(size), call.Content("one"); },
      [&](UploadCall& call) { call.Begin(size), call.Manifest(text + "x"); },
      [&](UploadCall& call) { call.Begin(5), call.Manifest("hello"); },
      [&](UploadCall& call) {
        call.Begin(static_cast<int64_t>(leads_out.size()));
        call.Manifest(leads_out);
      },
      [&](UploadCall& call) { call.Begin(size), call.Manifest(text), call.Content("two"); },
      [&](UploadCall& call) { call.Begin(size), call.Manifest(text), call.Content("ones"); },
      [&](UploadCall& call) { call.Begin(size), call.Manifest(text), call.Content(""); },
      [&](UploadCall& call) { call.Begin(size), call.Manifest(text), call.Manifest(text); },
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    const absl::Status status = refusal(wrong[i]);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << i << ": " << status;
  }
  EXPECT_EQ(UploadedFiles(), 0);
  EXPECT_EQ(refusal([](UploadCall& call) { call.Begin(1, "other"), call.Manifest("x"); }).code(),
            absl::StatusCode::kInvalidArgument);  // its own tenant's, and no manifest
  EXPECT_FALSE(UploadCall(server_.Client("")).Finish().ok());
  EXPECT_EQ(UploadCall(server_.Client(node_1_)).Finish().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(Uploads, OneTokenUploadsAFewAtATime) {
  std::vector<std::unique_ptr<UploadCall>> open;
  for (int i = 0; i < 4; ++i) {
    open.push_back(std::make_unique<UploadCall>(server_.Client(acme_)));
    const std::string text = ManifestOf({
                                            {absl::StrCat("f", i), "one"}
    })
                                 .SerializeAsString();
    open.back()->Begin(static_cast<int64_t>(text.size()));
    open.back()->Manifest(text);
    EXPECT_EQ(open.back()->Lacking().size(), 1U);
  }
  UploadCall fifth(server_.Client(acme_));
  fifth.Begin(1);
  const absl::Status status = fifth.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FindDetail(status)->code, "B8106");
  for (const auto& call : open) {
    call->context.TryCancel();
    EXPECT_TRUE(absl::IsCancelled(call->Finish()));
  }
}

// Rule: a job names an upload of its own tenant, or is refused.
TEST_F(Uploads, AJobNeedsItsTenantsUpload) {
  ScriptedAgent agent(server_.address(), "n1", node_1_);
  agent.Join();
  const std::string upload = Upload(acme_, {
                                               {"a", "one"}
  });
  EXPECT_TRUE(Submit(acme_, upload).ok());
  for (const auto& [token, name] : std::map<std::string, std::string>{
           {other_, upload           },
           {acme_,  Sha256("nothing")}
  }) {
    const absl::Status status = Submit(token, name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_EQ(FindDetail(status)->code, "B4008");
  }
  EXPECT_EQ(Submit(acme_, "short").status().code(), absl::StatusCode::kInvalidArgument);
  v1::SubmitJobRequest both = JobOf(1, 1);
  both.mutable_spec()->set_workdir_sha256(upload);
  both.mutable_spec()->set_working_directory("/data");
  EXPECT_EQ(server_.Client(acme_).Submit(both).status().code(), absl::StatusCode::kInvalidArgument);
}

// N24: a node is told of no folder but those of its own tasks.
TEST_F(Uploads, ANodeGetsTheFolderOfItsTasksAlone) {
  ScriptedAgent agent(server_.address(), "n1", node_1_);
  agent.Join();
  const Files files = {
      {"a", "one"},
      {"b", "two"},
      {"c", "one"}
  };
  const std::string upload = Upload(acme_, files);
  ASSERT_TRUE(Submit(acme_, upload).ok());
  const v1::Assignment assignment = agent.TakeAssignment();
  v1::JobSpec spec;
  ASSERT_TRUE(spec.ParseFromString(assignment.job_spec()));
  EXPECT_EQ(spec.workdir_sha256(), upload);
  const auto all = Fetch(node_1_, assignment.allocation_id());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(*all, ManifestOf(files).SerializeAsString() + "onetwo");
  EXPECT_EQ(Fetch(node_2_, assignment.allocation_id()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Fetch(node_1_, assignment.allocation_id() + 1).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Fetch(acme_, assignment.allocation_id()).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(Uploads, AFolderOfManyPiecesArrivesWhole) {
  ScriptedAgent agent(server_.address(), "n1", node_1_);
  agent.Join();
  std::string large(3 * kWorkdirPieceBytes + 7, '\0');
  for (size_t i = 0; i < large.size(); ++i) {
    large[i] = static_cast<char>(i * 7 % 251);
  }
  const v1::WorkdirManifest manifest = ManifestOf({
      {"large", large},
      {"small", "x"  }
  });
  const std::string text = manifest.SerializeAsString();
  UploadCall call(server_.Client(acme_));
  call.Begin(static_cast<int64_t>(text.size()));
  call.Manifest(text);
  ASSERT_EQ(call.Lacking().size(), 2U);
  for (size_t at = 0; at < large.size(); at += kWorkdirPieceBytes) {
    call.Content(large.substr(at, kWorkdirPieceBytes));
  }
  call.Content("x");
  v1::UploadWorkdirResponse response;
  ASSERT_TRUE(call.stream->Read(&response));
  ASSERT_TRUE(call.Finish().ok());
  ASSERT_TRUE(Submit(acme_, response.workdir_sha256()).ok());
  const auto all = Fetch(node_1_, agent.TakeAssignment().allocation_id());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == text + large + "x");
}

// Rule: an upload that a job needs is never removed; one that nobody needs leaves in time.
TEST_F(Uploads, WhatNoJobNeedsLeaves) {
  server_.Stop();
  server_.mutable_options().uploads.sweep_interval = absl::Milliseconds(20);
  server_.Start();
  const std::string needed = Upload(acme_, {
                                               {"a", "one"},
                                               {"b", "two"}
  });
  ScriptedAgent agent(server_.address(), "n1", node_1_);
  agent.Join();
  v1::SubmitJobRequest held = JobOf(1, 1);
  held.mutable_spec()->set_workdir_sha256(needed);
  held.mutable_spec()->set_hold(true);
  const auto job = server_.Client(acme_).Submit(held);
  ASSERT_TRUE(job.ok()) << job.status();
  Upload(acme_, {
                    {"a", "one"  },
                    {"b", "three"}
  });
  EXPECT_EQ(UploadedFiles(), 5);
  server_.clock().Advance(absl::Hours(24 * 8));
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (UploadedFiles() != 3 && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_EQ(UploadedFiles(), 3);  // of the job: two contents and a manifest
  v1::CancelJobRequest request;
  request.set_job_id(*job);
  v1::CancelJobResponse response;
  ASSERT_TRUE(server_.Client(acme_).Call(&TestClient::Stub::CancelJob, request, &response).ok());
  server_.clock().Advance(absl::Hours(24 * 8));
  while (UploadedFiles() != 0 && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_EQ(UploadedFiles(), 0);
}

}  // namespace
}  // namespace berth
