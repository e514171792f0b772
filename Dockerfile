# The gateway in one image: build with Go and a C++ compiler, run on Debian.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -ldflags "-s -w" -o /farthing ./gateway

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tzdata \
 && rm -rf /var/lib/apt/lists/* && useradd --uid 10001 --create-home farthing \
 && install -d -o farthing /data
COPY --from=build /farthing /usr/local/bin/farthing
USER farthing
WORKDIR /data
VOLUME /data
# Without a file the gateway listens inside the container alone: give it one that
# listens on 0.0.0.0, as docker-compose.yml does.
EXPOSE 4700
HEALTHCHECK --interval=10s --timeout=3s CMD ["farthing", "healthy"]
ENTRYPOINT ["farthing"]
CMD ["serve"]
