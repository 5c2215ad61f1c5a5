package org.apache.iceberg.rest;

import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.catalog.Catalog;
import org.eclipse.jetty.compression.server.CompressionHandler;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Iceberg's REST fixture over a catalog in memory, on 127.0.0.1 only, for tables that are registered by their metadata, and for those
 * that are created below the folder that is named, if one is; NAME=VALUE after it are further properties of the catalog. Prints the port that it got, and ends with its standard input. It shares the fixture's package because the constructors
 * there are not public.
 */
public final class RegisteredTables {
  public static void main(String[] args) throws Exception {
    // One connection: each would have a database of its own.
    Map<String, String> properties = new HashMap<>();
    properties.put("catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog");
    properties.put("uri", "jdbc:sqlite::memory:");
    properties.put("clients", "1");
    properties.put("jdbc.schema-version", "V1");
    properties.put("warehouse", args.length > 0 ? args[0] : "file:///nothing-is-created-here");
    properties.put("io-impl", "org.apache.iceberg.hadoop.HadoopFileIO");
    for (int i = 1; i < args.length; i++) {
      int equals = args[i].indexOf('=');
      properties.put(args[i].substring(0, equals), args[i].substring(equals + 1));
    }
    Catalog catalog = CatalogUtil.buildIcebergCatalog("registered", properties, new Configuration());
    RESTCatalogAdapter adapter =
        new RESTServerCatalogAdapter(new RESTCatalogServer.CatalogContext(catalog, properties));
    ServletContextHandler context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(new RESTCatalogServlet(adapter)), "/*");
    context.insertHandler(new CompressionHandler());
    Server server = new Server(new InetSocketAddress("127.0.0.1", 0));
    server.setHandler(context);
    server.start();
    System.out.println(((ServerConnector) server.getConnectors()[0]).getLocalPort());
    while (System.in.read() >= 0) {}
    System.exit(0);
  }
}
