# The server. Build it where the lock file is: docker build -t sallyport .
FROM node:24.21.0-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package may run a program of its own at install.
RUN ["npm", "ci", "--ignore-scripts"]
COPY bin bin
COPY scripts scripts
COPY src src
COPY tsconfig.json ./
RUN ["node", "scripts/build.ts"]

FROM node:24.21.0-slim
ENV NODE_ENV=production \
    SALLYPORT_HOME=/data \
    SALLYPORT_KEY_SOURCE=keyfile \
    XDG_CACHE_HOME=/tmp
# The only place that it writes to: key file, audit head, and the store where there is no PostgreSQL.
RUN ["install", "--directory", "--owner=node", "--group=node", "--mode=0700", "/data"]
WORKDIR /app
# The bundle holds every package that it needs.
COPY package.json LICENSE ./
COPY --from=build /app/bin bin
COPY --from=build /app/dist dist
USER 1000:1000
VOLUME /data
EXPOSE 4747
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4747/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/sallyport.mjs"]
CMD ["up"]
